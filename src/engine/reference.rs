//! What scripts are given, as data beside each registration: names, signatures, a sentence and an example each. The
//! checker, the examples that run as tests and the printed reference all read this.

use std::fmt::Write;

/// A function given to scripts. A method's first parameter is what stands before the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// Parameters with their types, `amount: Money`; a method's first is the value before the point.
    pub params: &'static [&'static str],
    /// The type it gives.
    pub gives: &'static str,
    /// The grant a script needs to call it (`propose.suspension`); empty: none.
    pub grant: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// Statements that run as they stand.
    pub example: &'static str,
}

/// A property of a type that scripts see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Property {
    /// The type it belongs to.
    pub owner: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The type it gives; `?` behind it: or nothing.
    pub gives: &'static str,
    /// One sentence.
    pub doc: &'static str,
}

/// A function in one line of a table: name, parameters, what it gives, grant, sentence, example.
macro_rules! function {
    ($name:literal, [$($param:literal),*], $gives:literal, $grant:literal, $doc:literal, $example:literal) => {
        $crate::engine::reference::Function {
            name: $name,
            params: &[$($param),*],
            gives: $gives,
            grant: $grant,
            doc: $doc,
            example: $example,
        }
    };
}

/// A property in one line of a table: owner, name, what it gives, sentence.
macro_rules! property {
    ($owner:literal, $name:literal, $gives:literal, $doc:literal) => {
        $crate::engine::reference::Property { owner: $owner, name: $name, gives: $gives, doc: $doc }
    };
}

pub(crate) use {function, property};

/// Everything one part of the engine gives to scripts.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Its heading in the reference.
    pub title: &'static str,
    /// Its functions.
    pub functions: &'static [Function],
    /// Its properties.
    pub properties: &'static [Property],
}

/// The engine's own parts, in the order of the reference. Parts of the domain are added where they are registered.
pub fn parts() -> Vec<Part> {
    vec![
        super::values::money::PART,
        super::values::amounts::PART,
        super::values::time::PART,
        super::values::json::PART,
        super::answers::PART,
        NOTHING,
    ]
}

/// What tells nothing from something.
const NOTHING: Part = Part {
    title: "Nothing",
    functions: &[
        Function {
            name: "present",
            params: &["value: any"],
            gives: "bool",
            grant: "",
            doc: "Whether there is a value; comparing with () is an error.",
            example: r#"if present("x") { print("there"); }"#,
        },
        Function {
            name: "absent",
            params: &["value: any"],
            gives: "bool",
            grant: "",
            doc: "Whether there is no value.",
            example: r#"if absent(()) { print("nothing"); }"#,
        },
    ],
    properties: &[],
};

/// Parts as Markdown.
pub fn render(parts: &[Part]) -> String {
    let mut out = String::new();
    for part in parts {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "## {}\n", part.title);
        for property in part.properties {
            let _ = writeln!(out, "- `{}.{}`: {}. {}", property.owner, property.name, property.gives, property.doc);
        }
        for function in part.functions {
            let params = function.params.join(", ");
            let _ = writeln!(out, "\n### `{}({params})` gives {}\n\n{}\n", function.name, function.gives, function.doc);
            if !function.grant.is_empty() {
                let _ = writeln!(out, "Needs the grant `{}`.\n", function.grant);
            }
            let _ = writeln!(out, "```rhai\n{}\n```", function.example);
        }
        out.push('\n');
    }
    out
}
