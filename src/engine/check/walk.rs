//! One walk over a file's syntax tree.

use rhai::{AST, ASTNode, Expr, FnCallExpr, Position, Stmt};
use std::collections::{BTreeMap, BTreeSet};

use super::catalogue::Catalogue;
use super::place;
use crate::domain::Grant;
use crate::engine::diagnostic::Diagnostic;
use crate::engine::library::File;
use crate::engine::manifest::FileKind;
use crate::suggest;

const COMPARISONS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

pub(super) fn walk(file: &File, ast: &AST, catalogue: &Catalogue) -> Vec<Diagnostic> {
    let mut walker = Walker {
        file,
        catalogue,
        findings: Vec::new(),
        variables: BTreeMap::new(),
        own_keys: BTreeSet::new(),
        constants: ast.iter_literal_variables(true, false).map(|(name, ..)| name.to_owned()).collect(),
    };
    walker.constants.extend(ast.statements().iter().filter_map(|statement| match statement {
        Stmt::Var(definition, ..) => Some(definition.0.as_str().to_owned()),
        _ => None,
    }));
    walker.own_keys.extend(file.manifest.params.keys().cloned());
    if file.kind == FileKind::Policy {
        walker.learn("request", Some("Request"));
    }
    if matches!(file.kind, FileKind::Policy | FileKind::Script) {
        walker.learn("event", Some("Event"));
    }
    // Two passes: the first learns the types of variables and the keys of maps, the second judges.
    ast.walk(&mut |path: &[ASTNode]| {
        walker.gather(path);
        true
    });
    ast.walk(&mut |path: &[ASTNode]| {
        walker.judge(path);
        true
    });
    walker.findings
}

struct Walker<'a> {
    file: &'a File,
    catalogue: &'a Catalogue,
    findings: Vec<Diagnostic>,
    /// Variables whose type is known; none once two definitions differ.
    variables: BTreeMap<String, Option<&'static str>>,
    /// Keys of map literals and params: `.x` may mean them.
    own_keys: BTreeSet<String>,
    constants: BTreeSet<String>,
}

impl Walker<'_> {
    fn learn(&mut self, name: &str, found: Option<&'static str>) {
        let known = self.variables.entry(name.to_owned()).or_insert(found);
        if *known != found {
            *known = None;
        }
    }

    fn gather(&mut self, path: &[ASTNode]) {
        match path.last() {
            Some(ASTNode::Stmt(Stmt::Var(definition, ..))) => {
                let found = self.type_of(&definition.1);
                self.learn(definition.0.as_str(), found);
            }
            Some(ASTNode::Stmt(Stmt::For(definition, _))) => {
                let found = self
                    .type_of(&definition.2.expr)
                    .and_then(|list| list.strip_prefix("rows of ").or_else(|| list.strip_prefix("list of ")));
                self.learn(definition.0.as_str(), found);
            }
            Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => {
                if let Expr::Variable(variable, ..) = &assignment.1.lhs {
                    let found = self.type_of(&assignment.1.rhs);
                    self.learn(&variable.1, found);
                }
            }
            Some(ASTNode::Expr(Expr::Map(map, _))) => {
                self.own_keys.extend(map.0.iter().map(|(key, _)| key.as_str().to_owned()));
            }
            _ => {}
        }
    }

    /// The documented type of an expression, where it is plain to see.
    fn type_of(&self, expression: &Expr) -> Option<&'static str> {
        match expression {
            Expr::Variable(variable, ..) => self.variables.get(variable.1.as_str()).copied().flatten(),
            Expr::FnCall(call, _) => self.gives(&call.name, None),
            Expr::Dot(pair, ..) => self.step(self.type_of(&pair.lhs)?, &pair.rhs),
            _ => None,
        }
    }

    /// The type behind `.rest` of a value of this type.
    fn step(&self, owner: &'static str, rest: &Expr) -> Option<&'static str> {
        match rest {
            Expr::Property(property, _) => {
                let gives = self.catalogue.properties_of(owner)?.get(property.2.as_str())?;
                Some(gives.trim_end_matches('?'))
            }
            Expr::MethodCall(call, _) => self.gives(&call.name, Some(owner)),
            Expr::Dot(pair, ..) => self.step(self.step(owner, &pair.lhs)?, &pair.rhs),
            _ => None,
        }
    }

    fn gives(&self, name: &str, owner: Option<&str>) -> Option<&'static str> {
        let takes =
            |params: &[&str], owner: &str| params.first().is_some_and(|first| first.ends_with(&format!(": {owner}")));
        let forms = self.catalogue.forms(name);
        let form = forms.iter().find(|form| owner.is_none_or(|owner| takes(form.params, owner)))?;
        Some(form.gives.trim_end_matches('?'))
    }

    fn judge(&mut self, path: &[ASTNode]) {
        match path.last() {
            Some(ASTNode::Stmt(Stmt::FnCall(call, position)) | ASTNode::Expr(Expr::FnCall(call, position))) => {
                self.call(call, *position, false);
            }
            Some(ASTNode::Expr(Expr::MethodCall(call, position))) => self.call(call, *position, true),
            Some(ASTNode::Expr(Expr::Dot(pair, ..))) => {
                if let Some(owner) = self.type_of(&pair.lhs) {
                    self.property(owner, &pair.rhs);
                }
            }
            Some(ASTNode::Expr(Expr::Property(property, position))) => self.loose_property(&property.2, *position),
            Some(ASTNode::Expr(Expr::DynamicConstant(value, position))) if value.is_decimal() => {
                self.decimal(*position);
            }
            Some(ASTNode::Expr(Expr::Variable(variable, _, position))) => {
                let constant = !variable.2.is_empty() && variable.2.root() == "global";
                if constant && !self.constants.contains(variable.1.as_str()) {
                    let name = variable.1.as_str();
                    let near = suggest::nearest(name, self.constants.iter().map(String::as_str)).map(str::to_owned);
                    self.told("unknown_constant", *position, name, format!("there is no const {name}")).suggestion =
                        near;
                }
            }
            _ => {}
        }
    }

    fn told(&mut self, code: &str, position: Position, covered: &str, message: String) -> &mut Diagnostic {
        let at = place(position, covered.chars().count());
        self.findings.push(Diagnostic::error(code, &self.file.path, at, message));
        let last = self.findings.len() - 1;
        &mut self.findings[last]
    }

    fn call(&mut self, call: &FnCallExpr, position: Position, method: bool) {
        let name = call.name.as_str();
        if call.op_token.is_some() {
            return self.operator(call, position);
        }
        if !call.namespace.is_empty() {
            return self.lib_call(call, position);
        }
        match name {
            "Fn" => return self.pointer(call, position),
            // What closures become; `curry` itself is switched off.
            "curry" | "call" => return,
            _ => {}
        }
        let count = call.args.len();
        let own = self.file.functions.get(name);
        let native = self.catalogue.native(name);
        let known = own.is_some_and(|arities| arities.contains(&count))
            || native.is_some_and(|arities| arities.contains(&(count + usize::from(method))));
        if known {
            return self.grant(name, Some(count + usize::from(method)), position);
        }
        if own.is_none() && native.is_none() {
            let names = self.catalogue.names().chain(self.file.functions.keys().map(String::as_str));
            let near = suggest::nearest(name, names.filter(|name| !name.contains('$'))).map(str::to_owned);
            self.told("unknown_function", position, name, format!("there is no function {name}")).suggestion = near;
            return;
        }
        let shown = counted(&[count]);
        let expected = self.signatures(name);
        self.told("wrong_arity", position, name, format!("{name} is given {shown}")).expected = Some(expected);
    }

    /// How a function is called, for messages.
    fn signatures(&self, name: &str) -> String {
        let forms = self.catalogue.forms(name);
        if !forms.is_empty() {
            let shown: Vec<String> = forms.iter().map(|form| format!("{name}({})", form.params.join(", "))).collect();
            return shown.join(" or ");
        }
        let own = self.file.functions.get(name);
        let counts = own.or_else(|| self.catalogue.native(name)).cloned().unwrap_or_default();
        counted(&counts)
    }

    fn lib_call(&mut self, call: &FnCallExpr, position: Position) {
        let (root, name) = (call.namespace.root().to_owned(), call.name.as_str());
        let Some(functions) = self.catalogue.libs.get(&root) else { return };
        match functions.get(name) {
            Some(arities) if arities.contains(&call.args.len()) => {}
            Some(arities) => {
                let message = format!("{root}::{name} is given {}", counted(&[call.args.len()]));
                let expected = counted(arities);
                self.told("wrong_arity", position, name, message).expected = Some(expected);
            }
            None => {
                let near = suggest::nearest(name, functions.keys().map(String::as_str)).map(str::to_owned);
                let message = format!("lib/{root}.rhai has no function {name}");
                self.told("unknown_function", position, name, message).suggestion = near;
            }
        }
    }

    fn pointer(&mut self, call: &FnCallExpr, position: Position) {
        let Some(Expr::StringConstant(name, _)) = call.args.first() else {
            let message = "Fn takes the name of a function as text that stands here".to_owned();
            self.told("dynamic_function", position, "Fn", message);
            return;
        };
        let name = name.as_str();
        if self.file.functions.contains_key(name) || self.catalogue.native(name).is_some() {
            return self.grant(name, None, position);
        }
        let near = suggest::nearest(name, self.catalogue.names()).map(str::to_owned);
        self.told("unknown_function", position, "Fn", format!("there is no function {name}")).suggestion = near;
    }

    /// Whether the file lists what a function needs; forms of one name that take another number of values may need
    /// another grant, or none.
    fn grant(&mut self, name: &str, count: Option<usize>, position: Position) {
        if matches!(self.file.kind, FileKind::Lib | FileKind::Test) || self.file.functions.contains_key(name) {
            return;
        }
        let mut forms = self.catalogue.forms(name);
        forms.retain(|form| count.is_none_or(|count| form.params.len() == count));
        if forms.iter().any(|form| form.grant.is_empty()) {
            return;
        }
        let wanted: Vec<Grant> = forms.iter().filter_map(|form| form.grant.parse().ok()).collect();
        let held = crate::domain::Grants { list: self.file.manifest.grants.clone(), tenants: None };
        let policy = self.file.kind == FileKind::Policy;
        // A policy reads without asking; it never acts, whatever it lists.
        let allowed = |grant: &Grant| if policy { matches!(grant, Grant::Read(_)) } else { held.allow(grant) };
        if wanted.is_empty() || wanted.iter().any(allowed) {
            return;
        }
        if policy {
            let message = format!("{name} acts, and a policy only answers; let a script do it");
            self.told("policy_acts", position, name, message);
            return;
        }
        let message = format!("{name} needs a grant that the manifest does not list");
        self.told("grant_missing", position, name, message).expected = Some(format!("\"{}\" in grants", wanted[0]));
    }

    fn operator(&mut self, call: &FnCallExpr, position: Position) {
        if !COMPARISONS.contains(&call.name.as_str()) {
            return;
        }
        let [left, right] = call.args.as_slice() else { return };
        if let (Some(left), Some(right)) = (literal(left), literal(right))
            && left != right
        {
            let message = format!("{left} and {right} cannot be compared");
            self.told("impossible_comparison", position, &call.name, message);
        }
    }

    /// A property of a value whose type is known.
    fn property(&mut self, owner: &'static str, rest: &Expr) {
        let (name, position, deeper) = match rest {
            Expr::Property(property, position) => (property.2.as_str(), *position, None),
            Expr::Dot(pair, ..) => match &pair.lhs {
                Expr::Property(property, position) => (property.2.as_str(), *position, Some(&pair.rhs)),
                _ => return,
            },
            _ => return,
        };
        let Some(properties) = self.catalogue.properties_of(owner) else { return };
        match properties.get(name) {
            Some(gives) => {
                if let Some(deeper) = deeper {
                    self.property(gives.trim_end_matches('?'), deeper);
                }
            }
            None => {
                let near = suggest::nearest(name, properties.keys().copied()).map(str::to_owned);
                self.told("unknown_property", position, name, format!("{owner} has no property {name}")).suggestion =
                    near;
            }
        }
    }

    /// A property of a value whose type is not known: JSON may have any, so only what looks like a slip is told.
    fn loose_property(&mut self, name: &str, position: Position) {
        if self.catalogue.has_property(name) || self.own_keys.contains(name) {
            return;
        }
        let told =
            |finding: &Diagnostic| (finding.line, finding.column) == (place(position, 1).0, place(position, 1).1);
        if self.findings.iter().any(told) {
            return;
        }
        let known = self.catalogue.property_names().chain(self.own_keys.iter().map(String::as_str));
        let Some(near) = suggest::nearest(name, known.filter(|known| known.len() > 4)).map(str::to_owned) else {
            return;
        };
        let message = format!("no type of ours has a property {name}");
        let at = place(position, name.chars().count());
        let finding = Diagnostic::warning("unknown_property", &self.file.path, at, message);
        self.findings.push(finding.suggesting(Some(&near)));
    }

    /// A number without a point that became a decimal did not fit.
    fn decimal(&mut self, position: Position) {
        let at = place(position, 1);
        let line = self.file.source.lines().nth(at.0 - 1).unwrap_or_default();
        let digits: String = line
            .chars()
            .skip(at.1 - 1)
            .take_while(|letter| letter.is_ascii_alphanumeric() || "._".contains(*letter))
            .collect();
        if !digits.is_empty() && !digits.contains('.') {
            let message = format!("the number {digits} is too large");
            self.told("integer_too_large", position, &digits, message);
        }
    }
}

/// Numbers of values, in words.
fn counted<'n>(counts: impl IntoIterator<Item = &'n usize>) -> String {
    let counts: Vec<String> = counts.into_iter().map(usize::to_string).collect();
    let shown = counts.join(" or ");
    if shown == "1" { "1 value".to_owned() } else { format!("{shown} values") }
}

/// What a literal is, in words.
fn literal(expression: &Expr) -> Option<&'static str> {
    match expression {
        Expr::StringConstant(..) | Expr::InterpolatedString(..) => Some("text"),
        Expr::IntegerConstant(..) => Some("a number"),
        Expr::DynamicConstant(value, _) if value.is_decimal() => Some("a number"),
        Expr::BoolConstant(..) => Some("true or false"),
        Expr::CharConstant(..) => Some("a character"),
        Expr::Unit(_) => Some("nothing"),
        Expr::Map(..) => Some("a map"),
        Expr::Array(..) => Some("an array"),
        _ => None,
    }
}
