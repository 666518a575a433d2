//! `bursar completions` and `bursar reference`: what the program says about itself.

use bursar::engine::{api, reference};
use clap::Args;
use clap_complete::Shell;
use serde_json::{Value, json};

use super::connect::Context;
use super::exit::{Exit, Outcome};
use super::output::Format;

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct Reference {
    /// Only what has this in its name
    name: Option<String>,
}

impl Completions {
    pub(crate) fn run(&self, context: &Context) -> Outcome {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::command(), "bursar", &mut script);
        context.out.text(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Done)
    }
}

impl Reference {
    pub(crate) fn run(&self, context: &Context) -> Outcome {
        let parts = api::kit().every_test_part();
        if context.out.format != Format::Table {
            let functions: Vec<Value> = parts
                .iter()
                .flat_map(|part| part.functions)
                .filter(|function| self.wants(function.name))
                .map(|function| {
                    json!({
                        "name": function.name, "params": function.params, "gives": function.gives,
                        "grant": function.grant, "doc": function.doc, "example": function.example,
                    })
                })
                .collect();
            context.out.rows(&functions, &[], true)?;
            return Ok(Exit::Done);
        }
        context.out.text(&self.markdown(&parts))?;
        Ok(Exit::Done)
    }

    fn wants(&self, name: &str) -> bool {
        self.name.as_ref().is_none_or(|wanted| name.contains(wanted.as_str()))
    }

    fn markdown(&self, parts: &[reference::Part]) -> String {
        let mut out = String::new();
        for part in parts {
            let properties: Vec<_> = part.properties.iter().filter(|property| self.wants(property.name)).collect();
            let functions: Vec<_> = part.functions.iter().filter(|function| self.wants(function.name)).collect();
            if properties.is_empty() && functions.is_empty() {
                continue;
            }
            out.push_str(&format!("## {}\n\n", part.title));
            for property in properties {
                let (owner, name, gives) = (property.owner, property.name, property.gives);
                out.push_str(&format!("- `{owner}.{name}`: {gives}. {}\n", property.doc));
            }
            for function in functions {
                let params = function.params.join(", ");
                out.push_str(&format!(
                    "\n### `{}({params})` gives {}\n\n{}\n\n",
                    function.name, function.gives, function.doc
                ));
                if !function.grant.is_empty() {
                    out.push_str(&format!("Needs the grant `{}`.\n\n", function.grant));
                }
                out.push_str(&format!("```rhai\n{}\n```\n", function.example));
            }
            out.push('\n');
        }
        out
    }
}
