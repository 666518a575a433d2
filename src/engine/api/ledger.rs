//! The ledger in scripts: lines as they stand.

use rhai::{Dynamic, Engine, Map};

use super::rows::Rows;
use super::{or_nothing, selection};
use crate::domain::Money;
use crate::domain::ledger::Line;
use crate::domain::selection::LEDGER;
use crate::engine::reference::{Function, Part, Property};

/// A ledger line as a script sees it.
#[derive(Debug, Clone)]
pub struct LineValue(pub Line);

const fn line(name: &'static str, gives: &'static str, doc: &'static str) -> Property {
    Property { owner: "Line", name, gives, doc }
}

pub(super) const PART: Part = Part {
    title: "Ledger",
    functions: &[Function {
        name: "ledger",
        params: &["selection: map"],
        gives: "rows of Line",
        grant: "ledger.read",
        doc: "The ledger lines a selection holds, newest first.",
        example: r#"for line in ledger(#{ kind: "renew" }) { print(`${line.amount}`); }"#,
    }],
    properties: &[
        line("id", "string", "Its place: commit and ordinal"),
        line("at", "Instant", "When"),
        line("kind", "string", "Partner Center's charge type"),
        line("tenant_id", "string", "Whose"),
        line("subscription_id", "string", "For which subscription"),
        line("quantity", "int", "Seats"),
        line("unit_price", "Money", "Price of a seat for a whole cycle"),
        line("amount", "Money", "Above zero a charge, below a credit"),
        line("period_start", "Instant", "First instant charged"),
        line("period_end", "Instant", "First instant after it"),
        line("rule", "string", "The rule that computed it"),
        line("tax", "Money", "The tax on the amount; nothing of it where no rate is known"),
        line("total", "Money", "Amount and tax together"),
        line("customer_amount", "Money?", "What the customer pays before tax, where it has a price"),
        line("margin", "Money?", "What the partner keeps of that, where it is in the same currency"),
        line("reverses", "string?", "The line it takes back"),
        line("order_id", "string?", "The order that started the subscription"),
        line("offer_id", "string", "What was bought"),
        line("offer_name", "string", "Its name, as it was then"),
    ],
};

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<LineValue>("Line");
    engine.register_get("id", |line: &mut LineValue| line.0.id.clone());
    engine.register_get("at", |line: &mut LineValue| line.0.at);
    engine.register_get("kind", |line: &mut LineValue| line.0.kind.as_str());
    engine.register_get("tenant_id", |line: &mut LineValue| line.0.tenant.to_string());
    engine.register_get("subscription_id", |line: &mut LineValue| line.0.subscription.to_string());
    engine.register_get("quantity", |line: &mut LineValue| line.0.quantity);
    engine.register_get("unit_price", |line: &mut LineValue| Money::new(line.0.unit_price, line.0.currency));
    engine.register_get("amount", |line: &mut LineValue| Money::new(line.0.amount, line.0.currency));
    engine.register_get("period_start", |line: &mut LineValue| line.0.period_start);
    engine.register_get("period_end", |line: &mut LineValue| line.0.period_end);
    engine.register_get("rule", |line: &mut LineValue| line.0.rule.clone());
    engine.register_get("tax", |line: &mut LineValue| Money::new(line.0.tax_amount(), line.0.currency));
    engine.register_get("total", |line: &mut LineValue| Money::new(line.0.total(), line.0.currency));
    engine.register_get("customer_amount", |line: &mut LineValue| {
        let price = line.0.at_customer_price.as_ref();
        or_nothing(price.map(|price| Money::new(price.amount, price.unit_price.currency)))
    });
    engine.register_get("margin", |line: &mut LineValue| {
        or_nothing(line.0.margin().map(|margin| Money::new(margin, line.0.currency)))
    });
    engine.register_get("reverses", |line: &mut LineValue| or_nothing(line.0.reverses.clone()));
    engine.register_get("order_id", |line: &mut LineValue| or_nothing(line.0.item.order_id.clone().map(|id| id.0)));
    engine.register_get("offer_id", |line: &mut LineValue| line.0.item.offer_id.clone());
    engine.register_get("offer_name", |line: &mut LineValue| line.0.item.offer_name.clone());
    engine.register_fn("to_string", |line: &mut LineValue| line.0.id.clone());
    engine.register_fn("ledger", |map: Map| Rows::lines(&selection(&LEDGER, &map)?));
}

impl From<LineValue> for Dynamic {
    fn from(line: LineValue) -> Self {
        Dynamic::from(line)
    }
}
