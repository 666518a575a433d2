//! Software of a customer (SW-list): everything that was bought, cancelled too, with its orders and the state of its keys;
//! and what products come with. What was ordered and never bought (its purchase was denied) is not in it. Never a key or a link: those are read in [`super::keys`].

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::order::{Order, OrderLine};
use crate::domain::product::Product;
use crate::domain::software::{Benefit, Entitlement, KeyState, OrderedAs, Sheet, Software};
use crate::domain::terms::{Delivery, Family, List, is_software};
use crate::domain::{Grant, Refusal, Subscription, SubscriptionId, TenantId};
use crate::store::records::{Page, Stored, catalog, keys, software as rows, subscriptions as subscription_rows};

use super::work::Work;
use super::{Result, holdings, not_found, offers, tenants};

/// Rows looked at in one go.
const PAGE_ROWS: usize = 500;
/// Bytes of a link to instructions, at most.
const URL_BYTES_MAX: usize = 2_048;

/// Which order lines bought what, and the lines that no record was made of.
type Ordered = (BTreeMap<SubscriptionId, Vec<OrderedAs>>, Vec<(Order, OrderLine)>);

/// A page of a customer's software in the order of its ids; lines of orders that no record was made of stand at the end,
/// in the order of their orders.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn list(work: &mut Work, customer: TenantId, after: Option<&[u8]>, limit: usize) -> Result<Page<Software>> {
    may_look(work, customer)?;
    let (bought, unheld) = ordered(work, customer)?;
    let mut items = Vec::new();
    let mut cursor = after.map(<[u8]>::to_vec);
    loop {
        let page = subscription_rows::page(&mut work.tx, Some(customer), cursor.as_deref(), PAGE_ROWS)?;
        for stored in page.items {
            if !is_software(&work.terms, &stored.value) || offers::never_bought(work, &stored.value)? {
                continue;
            }
            let orders = orders_of(&stored.value, &bought);
            items.push(shown(work, &stored.value, orders)?);
            if items.len() == limit {
                let key = keys::subscription(customer, stored.value.id).to_vec();
                return Ok(Page { items, next: Some(key) });
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    for (order, line) in unheld {
        let place = place_of(&order, &line);
        if after.is_some_and(|after| place.as_slice() <= after) {
            continue;
        }
        items.extend(unheld_software(work, &order, &line)?);
        if items.len() == limit {
            return Ok(Page { items, next: Some(place) });
        }
    }
    Ok(Page { items, next: None })
}

/// Where a line without a record stands in the list: behind everything that has one.
fn place_of(order: &Order, line: &OrderLine) -> Vec<u8> {
    let mut place = order.tenant.bytes().to_vec();
    place.extend([u8::MAX; 16]);
    place.extend(order.id.0.to_lowercase().bytes());
    place.push(0);
    place.extend(line.line_item_number.to_be_bytes());
    place
}

/// One piece of software of a customer.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn get(work: &mut Work, customer: TenantId, id: SubscriptionId) -> Result<Software> {
    may_look(work, customer)?;
    let stored = held(work, customer, id)?;
    let (bought, _) = ordered(work, customer)?;
    let orders = orders_of(&stored.value, &bought);
    shown(work, &stored.value, orders)
}

/// Whoever reads software, or the customer's own Global admin for its own (K-cust).
fn may_look(work: &mut Work, customer: TenantId) -> Result<()> {
    if super::keys::is_own(work, customer) {
        return Ok(());
    }
    work.require(&Grant::Read("software"))?;
    tenants::exists(work, customer)
}

/// A holding of software of a customer, for what has checked its own right. What was ordered and never bought is none.
pub(super) fn held(work: &mut Work, customer: TenantId, id: SubscriptionId) -> Result<Stored<Subscription>> {
    let found = subscription_rows::get(&mut work.tx, customer, id)?;
    let software = found.filter(|stored| is_software(&work.terms, &stored.value));
    let stored = software.ok_or_else(|| not_found("software", &id))?;
    if offers::never_bought(work, &stored.value)? {
        let message = format!("software {id} was never bought: its order says why");
        return Err(Refusal::new("not_found", message).into());
    }
    Ok(stored)
}

/// The sheet of what a holding is of: the product's own, or an empty one.
pub(super) fn sheet_of(work: &mut Work, product: &str) -> Result<Sheet> {
    let known = rows::sheet(&mut work.tx, product)?;
    Ok(known.unwrap_or_else(|| Sheet { product: product.to_owned(), ..Sheet::default() }))
}

/// What a holding comes with today (K-none).
pub(super) fn delivery_of(work: &Work, subscription: &Subscription, sheet: &Sheet) -> Delivery {
    work.terms.family(&subscription.profile.family).key_delivery(&sheet.comes_with, work.now)
}

fn shown(work: &mut Work, subscription: &Subscription, orders: Vec<OrderedAs>) -> Result<Software> {
    let mut sheet = sheet_of(work, &subscription.profile.offer_id)?;
    let has_keys = delivery_of(work, subscription, &sheet) == Delivery::Keys;
    let family = work.terms.family(&subscription.profile.family);
    sheet.options = if has_keys { sheet.options.asked(family.key_choices(work.now)) } else { Default::default() };
    let entitlement = rows::entitlement(&mut work.tx, subscription.id)?.map(|stored| stored.value);
    let mut shown = Software::of(subscription, (has_keys, &sheet), entitlement.as_ref(), orders);
    shown.benefits = benefits(work, &shown)?;
    Ok(shown)
}

/// What its licence gives beside itself (AHB), by its product in the catalogue or else by what is known of it here.
fn benefits(work: &mut Work, software: &Software) -> Result<Vec<Benefit>> {
    let known = product_of(work, &software.product_id)?;
    let mut product = known.unwrap_or_default();
    if product.name.is_empty() {
        product.name.clone_from(&software.product);
    }
    product.family.clone_from(&software.family);
    Ok(Benefit::of(work.terms.selling(), &product))
}

/// The order line of a holding: as its order tells, else the order it came from.
fn orders_of(subscription: &Subscription, bought: &BTreeMap<SubscriptionId, Vec<OrderedAs>>) -> Vec<OrderedAs> {
    let mut orders = bought.get(&subscription.id).cloned().unwrap_or_default();
    if let Some(order) = &subscription.profile.order_id
        && !orders.iter().any(|known| known.order_id == *order)
    {
        orders.push(OrderedAs { order_id: order.clone(), line_item_number: None });
    }
    orders.sort();
    orders
}

fn ordered(work: &mut Work, customer: TenantId) -> Result<Ordered> {
    let (mut bought, mut unheld) = (BTreeMap::<SubscriptionId, Vec<OrderedAs>>::new(), Vec::new());
    let mut cursor: Option<Vec<u8>> = None;
    loop {
        let page = catalog::orders(&mut work.tx, Some(customer), cursor.as_deref(), PAGE_ROWS)?;
        for order in page.items {
            for line in &order.line_items {
                let held = match line.subscription_id {
                    Some(id) if subscription_rows::get(&mut work.tx, customer, id)?.is_some() => Some(id),
                    _ => None,
                };
                let Some(id) = held else {
                    // A line with an error was never bought.
                    if line.error.is_none() {
                        unheld.push((order.clone(), line.clone()));
                    }
                    continue;
                };
                let place = OrderedAs { order_id: order.id.clone(), line_item_number: Some(line.line_item_number) };
                bought.entry(id).or_default().push(place);
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            unheld.sort_by_cached_key(|(order, line)| place_of(order, line));
            return Ok((bought, unheld));
        }
    }
}

/// What a line without a record of its own bought, where the catalogue tells that it is software.
fn unheld_software(work: &mut Work, order: &Order, line: &OrderLine) -> Result<Option<Software>> {
    let Some(product) = product_of(work, &line.offer_id)? else { return Ok(None) };
    let has_term = line.term_duration.is_some();
    let purchased = order.creation_date.unwrap_or(work.now);
    let family = work.terms.family(&product.family);
    if !family.is_in(List::Software, purchased, has_term) {
        return Ok(None);
    }
    let sheet = sheet_of(work, &line.offer_id)?;
    let family = work.terms.family(&product.family);
    let has_keys = family.key_delivery(&sheet.comes_with, work.now) == Delivery::Keys;
    let options = sheet.options.asked(family.key_choices(work.now));
    let status = holdings::status_of(work, order, line, &product);
    let named = [&product.name, &line.friendly_name, &line.offer_id];
    let mut shown = Software {
        subscription: None,
        customer: order.tenant,
        orders: vec![OrderedAs { order_id: order.id.clone(), line_item_number: Some(line.line_item_number) }],
        product_id: line.offer_id.clone(),
        product: named.into_iter().find(|name| !name.is_empty()).cloned().unwrap_or_default(),
        friendly_name: line.friendly_name.clone(),
        family: product.family.clone(),
        quantity: line.quantity,
        purchased_at: order.creation_date,
        status,
        key_state: KeyState::of(has_keys, None, status),
        revoked_at: None,
        delivered: Vec::new(),
        options: if has_keys { options } else { Default::default() },
        installation_instructions_url: sheet.installation_instructions_url,
        benefits: Vec::new(),
    };
    shown.benefits = benefits(work, &shown)?;
    Ok(Some(shown))
}

/// The product of an offer, or the one it is a sku of, with everything that stands above it.
pub(super) fn product_of(work: &mut Work, offer: &str) -> Result<Option<Product>> {
    // An availability says little by itself: the levels above it say what it is.
    if let Some(whole) = offers::item(work, offer)? {
        return Ok(Some(whole));
    }
    for id in Sheet::ids(offer) {
        if let Some(found) = offers::item(work, &id)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Says what a product comes with.
///
/// # Errors
/// `forbidden`, `bad_product`, `bad_option`, `bad_url`.
pub fn describe(work: &mut Work, sheet: Sheet) -> Result<Sheet> {
    work.rights.require_for_all(&Grant::KeysManage)?;
    let plain = |text: &str| !text.is_empty() && text.len() <= 255 && !text.chars().any(char::is_control);
    if !plain(&sheet.product) {
        return Err(Refusal::new("bad_product", "a product is named by its id").into());
    }
    let known: BTreeSet<&str> = work.terms.families().flat_map(Family::delivery_words).collect();
    if !sheet.comes_with.is_empty() && !known.iter().any(|word| word.eq_ignore_ascii_case(&sheet.comes_with)) {
        let shown: String = sheet.comes_with.chars().take(64).collect();
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        let message = format!("the terms have no word {shown:?} for what a product comes with; there are {known}");
        return Err(Refusal::new("bad_product", message).by_rule("K-none").into());
    }
    sheet.options.check()?;
    if let Some(url) = &sheet.installation_instructions_url {
        check_url("installationInstructionsUrl", url)?;
    }
    if rows::sheet(&mut work.tx, &sheet.product)?.as_ref() != Some(&sheet) {
        rows::save_sheet(&mut work.tx, &sheet)?;
        work.note("software.described", None, None, &sheet.product);
    }
    Ok(sheet)
}

/// A page of what products come with, in the order of their ids.
///
/// # Errors
/// `forbidden`.
pub fn sheets(work: &mut Work, after: Option<&[u8]>, limit: usize) -> Result<Page<Sheet>> {
    work.require(&Grant::Read("products"))?;
    Ok(rows::sheets(&mut work.tx, after, limit)?)
}

/// Checks that a text is an address a person may follow.
pub(super) fn check_url(name: &str, url: &str) -> Result<()> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or_default();
    let plain = !rest.is_empty() && !url.chars().any(|letter| letter.is_whitespace() || letter.is_control());
    if plain && url.len() <= URL_BYTES_MAX {
        return Ok(());
    }
    // What was given is not repeated: a download link is a secret.
    let message =
        format!("{name} is an address that begins with https:// or http://, of at most {URL_BYTES_MAX} bytes");
    Err(Refusal::new("bad_url", message).into())
}

/// What is recorded of a holding's keys and links, for an operation that has checked its own right.
pub(super) fn entitlement(work: &mut Work, id: SubscriptionId) -> Result<Option<Entitlement>> {
    Ok(rows::entitlement(&mut work.tx, id)?.map(|stored| stored.value))
}
