//! Carts in scripts: made, looked at, changed line by line, reviewed.

use rhai::{Array, Dynamic, Engine, Map};

use super::catalog::{every, plan};
use super::orders::error;
use super::requests::QuoteValue;
use super::tenants::TenantValue;
use super::{instant_or_nothing, or_nothing};
use crate::domain::cart::{Cart, CartLine};
use crate::domain::ids::CartId;
use crate::domain::{Money, TenantId};
use crate::engine::failure::{Api, raise, raise_refusal};
use crate::engine::reference::{Part, function, property};
use crate::engine::script_thread::with;
use crate::ops::carts::{self, Review, Reviewed, Wish};
use crate::ops::{self, Work};

/// A cart as a script sees it: a value as read.
#[derive(Debug, Clone)]
pub struct CartValue(pub(super) Cart);

/// A line of a cart, and the line it is an add-on of.
#[derive(Debug, Clone)]
pub struct LineOfCart(CartLine, Option<u32>);

/// A cart as its buyer reviews it.
#[derive(Debug, Clone)]
pub struct ReviewValue(Review);

/// A line of it.
#[derive(Debug, Clone)]
pub struct ReviewedLine(Reviewed);

pub(super) const PART: Part = Part {
    title: "Carts",
    functions: &[
        function!(
            "cart",
            ["tenant: Tenant", "lines: array"],
            "Cart",
            "propose.purchase",
            "Makes a cart of lines as `buy` takes them. Lines that cannot be bought now are in it, each with its error.",
            r#"for owner in tenants(#{ country: "NL" }) { for one in products(#{ is_item: true }) { print(owner.cart([#{ product: one.id, quantity: 5 }]).id); } }"#
        ),
        function!(
            "cart",
            ["tenant: Tenant", "id: string"],
            "Cart",
            "carts.read",
            "A cart of a tenant by its id; `not_found` where it has none of it.",
            r#"for owner in tenants(#{ country: "NL" }) { for one in owner.carts() { print(owner.cart(one.id).status); } }"#
        ),
        function!(
            "carts",
            ["tenant: Tenant"],
            "array of Cart",
            "carts.read",
            "The carts of a tenant, those that were checked out or have expired too.",
            r#"for owner in tenants(#{ country: "NL" }) { for one in owner.carts() { for line in one.lines { print(`${line.product}: ${line.quantity}`); } } }"#
        ),
        function!(
            "add_lines",
            ["cart: Cart", "lines: array"],
            "()",
            "propose.purchase",
            "Puts more lines into it, as `buy` takes them: it can be checked out for as long again.",
            r#"for owner in tenants(#{ country: "NL" }) { for one in owner.carts() { if one.status == "active" { one.add_lines([#{ product: one.lines[0].product, quantity: 5 }]); print(one.lines.len()); } } }"#
        ),
        function!(
            "remove_line",
            ["cart: Cart", "number: int"],
            "()",
            "propose.purchase",
            "Takes a line out of it by its number, a base with its add-ons; the lines are numbered anew.",
            r#"for owner in tenants(#{ country: "NL" }) { for one in owner.carts() { if one.status == "active" { one.remove_line(0); print(one.lines.len()); } } }"#
        ),
        function!(
            "review",
            ["cart: Cart"],
            "CartReview",
            "carts.read",
            "What checking it out would come to: plans, prices, tax and window of every line, and what keeps each from being bought.",
            r#"for owner in tenants(#{ country: "NL" }) { for one in owner.carts() { for line in one.review().lines { print(`${line.name}: ${line.price_of_term}`); } } }"#
        ),
    ],
    properties: &[
        property!("Cart", "id", "string", "Its id"),
        property!("Cart", "tenant_id", "string", "The customer's id"),
        property!("Cart", "status", "string", "active or ordered"),
        property!("Cart", "expires_at", "Instant?", "First instant too late to check it out"),
        property!("Cart", "lines", "array of CartLine", "Its lines, each base before its add-ons"),
        property!("Cart", "order_numbers", "array of string", "The orders it became"),
        property!(
            "Cart",
            "errors",
            "array of map",
            "line, code, description and rule of each line that cannot be bought"
        ),
        property!("CartLine", "number", "int", "Its number in the cart, from zero"),
        property!("CartLine", "add_on_of", "int?", "The line it is an add-on of"),
        property!("CartLine", "product", "string", "What is to be bought"),
        property!("CartLine", "friendly_name", "string", "The partner's name for it"),
        property!("CartLine", "quantity", "int", "Seats"),
        property!("CartLine", "term_duration", "string", "Length of the term; empty: none, or still to be chosen"),
        property!("CartLine", "billing_cycle", "string", "How it is billed; empty: still to be chosen"),
        property!("CartLine", "currency_code", "string?", "The currency of its price"),
        property!("CartLine", "base", "string?", "The subscription it is an add-on of"),
        property!("CartLine", "order_group", "string", "Lines of one group are placed in one order"),
        property!("CartLine", "error", "string?", "Why it cannot be bought"),
        property!("CartReview", "purchasable", "bool", "Whether every line can be bought now"),
        property!("CartReview", "lines", "array of ReviewedLine", "Its lines"),
        property!(
            "CartReview",
            "total_per_cycle",
            "array of Money",
            "What the first cycle of all that can be bought costs, one amount a currency"
        ),
        property!("CartReview", "total_of_terms", "array of Money", "What their whole terms cost"),
        property!("ReviewedLine", "number", "int", "Its number in the cart"),
        property!("ReviewedLine", "add_on_of", "int?", "The line it is an add-on of"),
        property!("ReviewedLine", "product", "string", "What is to be bought"),
        property!("ReviewedLine", "name", "string", "Its name"),
        property!("ReviewedLine", "quantity", "int", "Seats"),
        property!(
            "ReviewedLine",
            "plans",
            "array of map",
            "term_duration, billing_cycle, unit_price and customer_price of each plan there is"
        ),
        property!("ReviewedLine", "term_duration", "string", "The term that is chosen; empty: none"),
        property!("ReviewedLine", "billing_cycle", "string", "The billing cycle that is chosen"),
        property!("ReviewedLine", "charges", "int", "How often the term is charged"),
        property!("ReviewedLine", "unit_price", "Money?", "What a seat costs a cycle"),
        property!("ReviewedLine", "customer_price", "Money?", "What the customer is asked for instead"),
        property!("ReviewedLine", "price_per_cycle", "Money?", "What every seat costs a cycle"),
        property!("ReviewedLine", "price_of_term", "Money?", "What every seat costs the whole term"),
        property!("ReviewedLine", "tax_included", "bool", "Whether its prices include tax in the customer's country"),
        property!("ReviewedLine", "quote", "Quote?", "The purchase as the terms quote it now"),
        property!("ReviewedLine", "window_rule", "string?", "The rule of the window it could be cancelled in"),
        property!(
            "ReviewedLine",
            "allowed_until",
            "Instant?",
            "First instant too late to cancel it, were it bought now"
        ),
        property!(
            "ReviewedLine",
            "errors",
            "array of map",
            "line, code, description and rule of each reason why it cannot be bought"
        ),
    ],
};

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<CartValue>("Cart");
    engine.register_type_with_name::<LineOfCart>("CartLine");
    engine.register_type_with_name::<ReviewValue>("CartReview");
    engine.register_type_with_name::<ReviewedLine>("ReviewedLine");
    names(engine);
    carts_and_lines(engine);
    reviews(engine);
    engine.register_fn("cart", |tenant: &mut TenantValue, lines: Array| cart(tenant.0.id, &lines));
    engine.register_fn("cart", |tenant: &mut TenantValue, id: &str| -> Api<CartValue> {
        let (tenant, id) = (tenant.0.id, id.parse::<CartId>().map_err(|refusal| raise_refusal(&refusal))?);
        Ok(CartValue(with(|work| carts::get(work, tenant, id))?))
    });
    engine.register_fn("carts", |tenant: &mut TenantValue| {
        let id = tenant.0.id;
        every(|work, after, limit| carts::list(work, Some(id), after, limit), |cart| Dynamic::from(CartValue(cart)))
    });
    engine.register_fn("add_lines", |cart: &mut CartValue, more: Array| -> Api<()> {
        let more = more.iter().map(map_of).collect::<Api<Vec<_>>>()?;
        change(cart, |work, tenant, id| carts::add(work, tenant, id, &more))
    });
    engine.register_fn("remove_line", |cart: &mut CartValue, number: i64| -> Api<()> {
        let number = u32::try_from(number).map_err(|_| raise("not_found", format!("a cart has no line {number}")))?;
        change(cart, |work, tenant, id| carts::remove(work, tenant, id, &[number]))
    });
    engine.register_fn("review", |cart: &mut CartValue| {
        let (tenant, id) = (cart.0.tenant, cart.0.id);
        with(|work| carts::review(work, tenant, id)).map(ReviewValue)
    });
}

fn names(engine: &mut Engine) {
    engine.register_fn("to_string", |cart: &mut CartValue| cart.0.id.to_string());
    engine.register_fn("to_debug", |cart: &mut CartValue| cart.0.id.to_string());
    engine.register_fn("to_string", |line: &mut LineOfCart| line.0.catalog_item_id.clone());
    engine.register_fn("to_debug", |line: &mut LineOfCart| line.0.catalog_item_id.clone());
    engine.register_fn("to_string", |review: &mut ReviewValue| review.0.cart.to_string());
    engine.register_fn("to_debug", |review: &mut ReviewValue| review.0.cart.to_string());
    engine.register_fn("to_string", |line: &mut ReviewedLine| line.0.name.clone());
    engine.register_fn("to_debug", |line: &mut ReviewedLine| line.0.catalog_item_id.clone());
}

fn carts_and_lines(engine: &mut Engine) {
    engine.register_get("id", |cart: &mut CartValue| cart.0.id.to_string());
    engine.register_get("tenant_id", |cart: &mut CartValue| cart.0.tenant.to_string());
    engine.register_get("status", |cart: &mut CartValue| if cart.0.orders.is_empty() { "active" } else { "ordered" });
    engine.register_get("expires_at", |cart: &mut CartValue| instant_or_nothing(cart.0.expiration_timestamp));
    engine.register_get("lines", |cart: &mut CartValue| -> Array {
        cart.0.lines().into_iter().map(|(line, base)| Dynamic::from(LineOfCart(line.clone(), base))).collect()
    });
    engine.register_get("order_numbers", |cart: &mut CartValue| -> Array {
        cart.0.orders.iter().map(|order| Dynamic::from(order.to_string())).collect()
    });
    engine.register_get("errors", |cart: &mut CartValue| -> Array {
        let lines = cart.0.lines();
        lines.iter().filter_map(|(line, _)| Some(error(line.id, line.error.as_ref()?))).collect()
    });
    engine.register_get("number", |line: &mut LineOfCart| i64::from(line.0.id));
    engine.register_get("add_on_of", |line: &mut LineOfCart| or_nothing(line.1.map(i64::from)));
    engine.register_get("product", |line: &mut LineOfCart| line.0.catalog_item_id.clone());
    engine.register_get("friendly_name", |line: &mut LineOfCart| line.0.friendly_name.clone());
    engine.register_get("quantity", |line: &mut LineOfCart| line.0.quantity);
    engine.register_get("term_duration", |line: &mut LineOfCart| {
        line.0.term_duration.map(|length| length.to_string()).unwrap_or_default()
    });
    engine.register_get("billing_cycle", |line: &mut LineOfCart| line.0.billing_cycle.clone());
    engine.register_get("currency_code", |line: &mut LineOfCart| {
        or_nothing(line.0.currency_code.map(|currency| currency.code().to_owned()))
    });
    engine.register_get("base", |line: &mut LineOfCart| {
        or_nothing(line.0.parent_subscription_id.map(|id| id.to_string()))
    });
    engine.register_get("order_group", |line: &mut LineOfCart| line.0.order_group.clone());
    engine.register_get("error", |line: &mut LineOfCart| {
        or_nothing(line.0.error.as_ref().map(|error| error.description.clone()))
    });
}

fn reviews(engine: &mut Engine) {
    engine.register_get("purchasable", |review: &mut ReviewValue| review.0.purchasable);
    engine.register_get("lines", |review: &mut ReviewValue| -> Array {
        review.0.lines.iter().cloned().map(|line| Dynamic::from(ReviewedLine(line))).collect()
    });
    engine.register_get("total_per_cycle", |review: &mut ReviewValue| amounts(&review.0.total_per_cycle));
    engine.register_get("total_of_terms", |review: &mut ReviewValue| amounts(&review.0.total_of_terms));
    engine.register_get("number", |line: &mut ReviewedLine| i64::from(line.0.line));
    engine.register_get("add_on_of", |line: &mut ReviewedLine| or_nothing(line.0.add_on_of.map(i64::from)));
    engine.register_get("product", |line: &mut ReviewedLine| line.0.catalog_item_id.clone());
    engine.register_get("name", |line: &mut ReviewedLine| line.0.name.clone());
    engine.register_get("quantity", |line: &mut ReviewedLine| line.0.quantity);
    engine.register_get("plans", |line: &mut ReviewedLine| -> Array {
        line.0.plans.iter().map(|one| Dynamic::from_map(plan(one))).collect()
    });
    engine.register_get("term_duration", |line: &mut ReviewedLine| line.0.term_duration.clone().unwrap_or_default());
    engine.register_get("billing_cycle", |line: &mut ReviewedLine| line.0.billing_cycle.clone());
    engine.register_get("charges", |line: &mut ReviewedLine| i64::from(line.0.charges));
    engine.register_get("unit_price", |line: &mut ReviewedLine| or_nothing(line.0.unit_price));
    engine.register_get("customer_price", |line: &mut ReviewedLine| or_nothing(line.0.customer_price));
    engine.register_get("price_per_cycle", |line: &mut ReviewedLine| or_nothing(line.0.price_per_cycle));
    engine.register_get("price_of_term", |line: &mut ReviewedLine| or_nothing(line.0.price_of_term));
    engine.register_get("tax_included", |line: &mut ReviewedLine| line.0.tax_included);
    engine.register_get("quote", |line: &mut ReviewedLine| or_nothing(line.0.quote.clone().map(QuoteValue)));
    engine.register_get("window_rule", |line: &mut ReviewedLine| or_nothing(line.0.window_rule.clone()));
    engine.register_get("allowed_until", |line: &mut ReviewedLine| {
        instant_or_nothing(line.0.cancellation_allowed_until_date)
    });
    engine.register_get("errors", |line: &mut ReviewedLine| -> Array {
        line.0.reasons.iter().map(|reason| error(line.0.line, reason)).collect()
    });
}

fn amounts(amounts: &[Money]) -> Array {
    amounts.iter().copied().map(Dynamic::from).collect()
}

const FIELDS: [&str; 11] = [
    "product",
    "quantity",
    "term_duration",
    "billing_cycle",
    "base",
    "custom_term_end_date",
    "friendly_name",
    "currency_code",
    "attestation_accepted",
    "order_group",
    "add_ons",
];

/// A line as a script writes it.
pub(super) fn line(map: &Map) -> Api<CartLine> {
    if let Some(name) = map.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        let near = crate::suggest::nearest(name, FIELDS);
        let hint = near.map_or_else(|| FIELDS.join(", "), |near| format!("did you mean {near}?"));
        return Err(raise("unknown_field", format!("a line to buy has no {name}; {hint}")));
    }
    let text = |name: &str| -> Api<Option<String>> {
        let Some(value) = map.get(name).filter(|value| !value.is_unit()) else { return Ok(None) };
        value.clone().into_string().map(Some).map_err(|_| raise("type_error", format!("{name} is text")))
    };
    let refused = |refusal: crate::domain::Refusal| raise_refusal(&refusal);
    let quantity = map.get("quantity").map_or(Ok(1), Dynamic::as_int);
    let last_day = text("custom_term_end_date")?.map(|text| super::testing::day_or_instant(&text)).transpose();
    let attested = map.get("attestation_accepted").map_or(Ok(false), Dynamic::as_bool);
    let currency = text("currency_code")?.map(|code| code.to_ascii_uppercase().parse()).transpose();
    Ok(CartLine {
        currency_code: currency.map_err(refused)?,
        attestation_accepted: attested.map_err(|_| raise("type_error", "attestation_accepted is true or false"))?,
        catalog_item_id: text("product")?.ok_or_else(|| raise("missing_field", "a line to buy names its product"))?,
        quantity: quantity.map_err(|_| raise("type_error", "quantity is a whole number"))?,
        term_duration: text("term_duration")?.map(|text| text.parse()).transpose().map_err(refused)?,
        billing_cycle: text("billing_cycle")?.unwrap_or_default(),
        parent_subscription_id: text("base")?.map(|text| text.parse()).transpose().map_err(refused)?,
        custom_term_end_date: last_day.map_err(refused)?,
        friendly_name: text("friendly_name")?.unwrap_or_default(),
        order_group: text("order_group")?.unwrap_or_default(),
        addon_items: map.get("add_ons").map_or(Ok(Vec::new()), |value| lines("add_ons", value))?,
        ..CartLine::default()
    })
}

fn map_of(value: &Dynamic) -> Api<CartLine> {
    let map = value.read_lock::<Map>().ok_or_else(|| raise("type_error", "lines is a list of maps"))?;
    line(&map)
}

fn lines(name: &str, value: &Dynamic) -> Api<Vec<CartLine>> {
    let listed = value.as_array_ref().map_err(|_| raise("type_error", format!("{name} is a list of maps")))?;
    listed.iter().map(map_of).collect()
}

fn cart(tenant: TenantId, lines: &Array) -> Api<CartValue> {
    let wish = Wish { lines: lines.iter().map(map_of).collect::<Api<_>>()? };
    with(|work| Ok(CartValue(carts::create(work, tenant, &wish)?)))
}

/// Changes a cart and takes up what it is afterwards.
fn change(cart: &mut CartValue, body: impl FnOnce(&mut Work, TenantId, CartId) -> ops::Result<Cart>) -> Api<()> {
    let (tenant, id) = (cart.0.tenant, cart.0.id);
    cart.0 = with(|work| body(work, tenant, id))?;
    Ok(())
}
