//! `bursar cancel`: cancelling as a person asks for it, by customer, product and order.

use clap::Args;
use serde_json::{Value, json};

use super::connect::Context;
use super::exit::Outcome;
use super::output::{Format, cell, plain};

#[derive(Debug, Args)]
pub(crate) struct Cancel {
    /// The customer, by name, tenant id or domain
    #[arg(long, value_name = "NAME|ID|DOMAIN")]
    customer: String,
    /// The product's name
    #[arg(long, value_name = "NAME")]
    product: Option<String>,
    /// The order's number
    #[arg(long, value_name = "NUMBER")]
    order: Option<String>,
    /// The subscription, by id or friendly name
    #[arg(long, value_name = "ID|NAME")]
    subscription: Option<String>,
    /// The reason
    #[arg(long, default_value = "customer_request", value_name = "customer_request|non_payment|fraud")]
    reason: String,
    /// Why money is asked back, where that is asked for
    #[arg(long, value_name = "TEXT")]
    refund_reason: Option<String>,
    /// How much is asked back, where that is asked for
    #[arg(long, value_name = "MONEY")]
    amount: Option<String>,
    /// You have read what is shown before cancelling
    #[arg(long)]
    acknowledge: bool,
    /// Why, in your words
    #[arg(long, default_value = "")]
    why: String,
}

impl Cancel {
    pub(crate) async fn run(&self, context: &Context) -> Outcome {
        let mut body = json!({
            "customer": self.customer, "reason": self.reason, "acknowledged": self.acknowledge, "why": self.why,
        });
        let given = [
            ("product", &self.product),
            ("order", &self.order),
            ("subscription", &self.subscription),
            ("refundReason", &self.refund_reason),
            ("amount", &self.amount),
        ];
        for (name, value) in given {
            if let Some(value) = value {
                body[name] = value.clone().into();
            }
        }
        let answer = context.change("/v1/cancellations", &body).await?;
        if context.out.format == Format::Table {
            for path in ["info.says", "confirmation.message", "confirmation.afterwards"] {
                let said = plain(cell(&answer, path));
                if !said.is_empty() {
                    context.out.say(&format!("  {said}"));
                }
            }
            if let Some(seen) = answer.pointer("/confirmation/visibleAfter").and_then(Value::as_str) {
                context.out.say(&format!("  it shows everywhere by {seen}; there is no need to ask again"));
            }
        }
        super::subscriptions::proposed(context, &answer)
    }
}
