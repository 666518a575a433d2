//! What scripts may name: functions by number of parameters, properties by type.

use rhai::Engine;
use std::collections::{BTreeMap, BTreeSet};

use super::Functions;
use crate::engine::reference::{Function, Part};

/// Everything the checker knows about what is given to scripts.
pub(super) struct Catalogue {
    natives: Functions,
    documented: Vec<Function>,
    /// Properties of each documented type, with the type each gives.
    types: BTreeMap<&'static str, BTreeMap<&'static str, &'static str>>,
    properties: BTreeSet<String>,
    /// Functions of each lib file.
    pub(super) libs: BTreeMap<String, Functions>,
}

impl Catalogue {
    pub(super) fn new(engine: &Engine, parts: &[Part]) -> Self {
        let mut natives = Functions::new();
        let mut properties = BTreeSet::new();
        let named = |info: rhai::FuncInfo| Some((info.metadata.name.to_string(), info.metadata.num_params));
        for (name, count) in engine.collect_fn_metadata(None, named, true) {
            if let Some(property) = name.strip_prefix("get$") {
                properties.insert(property.to_owned());
            }
            natives.entry(name).or_default().insert(count);
        }
        // Words of the language that look like functions.
        for (name, counts) in [
            ("print", vec![0, 1]),
            ("debug", vec![0, 1]),
            ("type_of", vec![1]),
            ("Fn", vec![1]),
            ("is_shared", vec![1]),
            ("is_def_var", vec![1]),
            ("is_def_fn", vec![2, 3]),
        ] {
            natives.entry(name.to_owned()).or_default().extend(counts);
        }
        let mut types: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for property in parts.iter().flat_map(|part| part.properties) {
            types.entry(property.owner).or_default().insert(property.name, property.gives);
        }
        let documented = parts.iter().flat_map(|part| part.functions).copied().collect();
        Self { natives, documented, types, properties, libs: BTreeMap::new() }
    }

    pub(super) fn native(&self, name: &str) -> Option<&BTreeSet<usize>> {
        self.natives.get(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.natives.keys().map(String::as_str).filter(|name| !name.contains('$'))
    }

    /// Whether it is one of our documented functions.
    pub(super) fn is_ours(&self, name: &str) -> bool {
        self.documented.iter().any(|function| function.name == name)
    }

    /// The documented forms of a function.
    pub(super) fn forms(&self, name: &str) -> Vec<&Function> {
        self.documented.iter().filter(|function| function.name == name).collect()
    }

    /// Whether any type has a property of this name.
    pub(super) fn has_property(&self, name: &str) -> bool {
        self.properties.contains(name)
    }

    pub(super) fn property_names(&self) -> impl Iterator<Item = &str> {
        self.properties.iter().map(String::as_str)
    }

    /// The properties of a type; none for a type that is not documented.
    pub(super) fn properties_of(&self, owner: &str) -> Option<&BTreeMap<&'static str, &'static str>> {
        self.types.get(owner)
    }
}
