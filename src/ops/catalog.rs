//! The catalogue: reading.

use std::collections::BTreeSet;

use crate::domain::product::Product;
use crate::domain::selection::Selection;
use crate::domain::{Grant, Subscription};
use crate::partner_center::family::UNKNOWN;
use crate::store::records::{Page, catalog as rows};

use super::work::Work;
use super::{Result, not_found, offers};

const PAGE_ROWS: usize = 500;

/// One product, with everything the levels above it say.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn product(work: &mut Work, id: &str) -> Result<Product> {
    work.require(&Grant::Read("products"))?;
    let found = whole(work, id)?;
    found.ok_or_else(|| not_found("product", &id.chars().take(128).collect::<String>()))
}

/// A row of the catalogue with what the levels above it say, and the family that the items below it tell.
fn whole(work: &mut Work, id: &str) -> Result<Option<Product>> {
    let Some(found) = offers::item(work, id)? else { return Ok(None) };
    with_the_family_of_its_items(work, found).map(Some)
}

/// A level that is not bought itself is of the family that everything below it is sold as: whether software has a term,
/// its availabilities alone tell (FAM).
fn with_the_family_of_its_items(work: &mut Work, mut product: Product) -> Result<Product> {
    if product.is_item() {
        return Ok(product);
    }
    let mut families = BTreeSet::new();
    let mut cursor: Option<Vec<u8>> = None;
    loop {
        let page = rows::products_below(&mut work.tx, &product.id, cursor.as_deref(), PAGE_ROWS)?;
        for item in page.items.into_iter().filter(Product::is_item) {
            let item = offers::item(work, &item.id)?.unwrap_or(item);
            families.extend(Some(item.family).filter(|family| !family.is_empty() && family != UNKNOWN));
        }
        match page.next {
            Some(next) if families.len() < 2 => cursor = Some(next),
            _ => break,
        }
    }
    if families.len() < 2 {
        product.family = families.pop_first().unwrap_or(product.family);
    }
    Ok(product)
}

/// A page of what a selection holds, in id order.
///
/// # Errors
/// `forbidden`.
pub fn products(work: &mut Work, selection: &Selection, after: Option<&[u8]>, limit: usize) -> Result<Page<Product>> {
    products_where(work, selection, |_| true, after, limit)
}

/// The same of those that something more is true of.
///
/// # Errors
/// `forbidden`.
pub fn products_where(
    work: &mut Work,
    selection: &Selection,
    keep: impl Fn(&Product) -> bool,
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Page<Product>> {
    work.require(&Grant::Read("products"))?;
    let mut items = Vec::new();
    let mut cursor = after.map(<[u8]>::to_vec);
    loop {
        let page = rows::products(&mut work.tx, cursor.as_deref(), PAGE_ROWS)?;
        for product in page.items.into_iter().filter(|product| keep(product)) {
            let product = whole(work, &product.id)?.unwrap_or(product);
            if selection.matches(&product, work.now) {
                let key = product.id.to_lowercase().into_bytes();
                items.push(product);
                if items.len() == limit {
                    return Ok(Page { items, next: Some(key) });
                }
            }
        }
        match page.next {
            None => return Ok(Page { items, next: None }),
            Some(next) => cursor = Some(next),
        }
    }
}

/// A page of what lies below a product: its SKUs, or the availabilities of one SKU; only those of one level.
///
/// # Errors
/// `forbidden`, `not_found` where there is nothing of this id.
pub fn below(work: &mut Work, above: &str) -> Result<Vec<Product>> {
    work.require(&Grant::Read("products"))?;
    product(work, above)?;
    let depth = above.matches(':').count() + 1;
    let mut found = Vec::new();
    let mut cursor: Option<Vec<u8>> = None;
    loop {
        let page = rows::products_below(&mut work.tx, above, cursor.as_deref(), PAGE_ROWS)?;
        for product in page.items.into_iter().filter(|product| product.id.matches(':').count() == depth) {
            found.push(whole(work, &product.id)?.unwrap_or(product));
        }
        match page.next {
            Some(next) if found.len() < work.settings.rows => cursor = Some(next),
            _ => return Ok(found),
        }
    }
}

/// What a trial can be converted to: the offers that its own names and that are known. Nothing for what is no trial.
///
/// # Errors
/// `forbidden`.
pub fn conversions(work: &mut Work, subscription: &Subscription) -> Result<Vec<Product>> {
    work.require(&Grant::Read("subscriptions"))?;
    let mut found = Vec::new();
    if !subscription.profile.is_trial {
        return Ok(found);
    }
    let own = offers::item(work, &subscription.profile.offer_id)?;
    for target in own.map(|own| own.conversion_targets).unwrap_or_default() {
        found.extend(offers::item(work, &target)?);
    }
    Ok(found)
}

/// The add-ons made for an offer.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn add_ons(work: &mut Work, id: &str) -> Result<Vec<Product>> {
    let base = product(work, id)?;
    let mut found = Vec::new();
    let mut cursor: Option<Vec<u8>> = None;
    loop {
        let page = rows::products(&mut work.tx, cursor.as_deref(), PAGE_ROWS)?;
        for product in page.items.into_iter().filter(Product::is_item) {
            let whole = offers::item(work, &product.id)?.unwrap_or(product);
            if whole.is_add_on && whole.prerequisites.iter().any(|known| Product::holds(known, &base.id)) {
                found.push(whole);
            }
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(found),
        }
    }
}
