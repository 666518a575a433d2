//! `bursar roles` and `bursar whoami`: what each role may do, and what you may.

use clap::Args;
use serde_json::{Value, json};

use super::connect::Context;
use super::exit::{Exit, Outcome};
use super::output::{Column, Format, cell, plain};

/// The matrix's columns with the short heads they fit under.
const COLUMNS: &[Column] = &[
    Column("ACT", "act"),
    Column("GLOBAL ADMIN", "cells.global_admin"),
    Column("ADMIN AGENT", "cells.admin_agent"),
    Column("BILLING ADMIN", "cells.billing_admin"),
    Column("SALES AGENT", "cells.sales_agent"),
    Column("HELPDESK AGENT", "cells.helpdesk_agent"),
    Column("USER MGMT ADMIN", "cells.user_management_admin"),
    Column("ACCOUNT ADMIN", "cells.account_admin"),
    Column("REFERRAL ADMIN", "cells.referral_admin"),
    Column("MARKETING ADMIN", "cells.marketing_content_admin"),
    Column("CUSTOMER'S GLOBAL ADMIN", "cells.customer_global_admin"),
];

#[derive(Debug, Args)]
pub(crate) struct Roles {}

#[derive(Debug, Args)]
pub(crate) struct Whoami {}

impl Roles {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let told = context.look("/v1/roles").await?;
        let mut items = told.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        if context.out.format == Format::Table {
            items.iter_mut().for_each(quiet);
        }
        context.out.rows(&items, COLUMNS, true)?;
        Ok(Exit::Done)
    }
}

/// For people an empty cell says more than a word for nothing.
fn quiet(row: &mut Value) {
    for value in row.get_mut("cells").and_then(Value::as_object_mut).into_iter().flat_map(|cells| cells.values_mut()) {
        if value == "none" {
            *value = json!("-");
        }
    }
}

impl Whoami {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let told = context.look("/v1/whoami").await?;
        if context.out.format != Format::Table {
            context.out.record(&told)?;
            return Ok(Exit::Done);
        }
        let text = |path: &str| plain(cell(&told, path));
        let mut out = format!("{}\n", text("principal"));
        let mut line = |label: &str, value: String| {
            if !value.is_empty() {
                out.push_str(&format!("  {label:10}{value}\n"));
            }
        };
        line("roles", text("roles"));
        line("grants", text("grants"));
        line("narrowed", text("only"));
        line("tenants", text("tenants"));
        line("assigned", text("user.assigned"));
        for row in told.get("may").and_then(Value::as_array).into_iter().flatten() {
            let cells = row.get("cells").and_then(Value::as_object).into_iter().flatten();
            let words: Vec<&str> = cells.filter_map(|(_, word)| word.as_str()).filter(|word| *word != "none").collect();
            out.push_str(&format!(
                "  {:28}{:10}{}\n",
                plain(cell(row, "act")),
                words.join(", "),
                plain(cell(row, "title"))
            ));
        }
        context.out.text(&out)?;
        Ok(Exit::Done)
    }
}
