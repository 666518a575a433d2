//! The sandbox: a script engine that starts with nothing and is given named packages, named functions and limits.
//!
//! It is an allow-list. A script has no files, network, environment, clock, randomness, floats or `eval`; comparing
//! values of different types is an error; a missing property is an error; a limit ends the run and cannot be caught.

use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicFnPackage, BasicIteratorPackage, BasicMapPackage, BasicMathPackage,
    BasicStringPackage, LogicPackage, MoreStringPackage, Package,
};
use rhai::{Engine, OptimizationLevel};
use std::sync::Once;
use std::thread;

use super::meter::Meter;
use super::{answers, budget, comparison, values};

/// Bytes of one source file. Compiling cannot be interrupted and grows with the square of a long `switch`.
pub const SOURCE_BYTES_MAX: usize = 64 * 1024;
/// Stack of a thread that runs scripts. Closures chained to each other are dropped recursively and no size check sees
/// them: with 64 MiB of them (measured) 128 MiB of stack were too little and 256 enough. Reserved, not committed.
pub const STACK_BYTES: usize = 256 * 1024 * 1024;
/// What a run may hold at most, whatever its budget says: a quarter of the stack, for the reason above.
pub const MEMORY_BYTES_MAX: usize = STACK_BYTES / 4;

/// The sizes an engine allows, fixed when it is built. What one run may spend is [`super::Budget`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Functions calling each other.
    pub call_levels: usize,
    /// Expressions inside each other, at the top level.
    pub expression_depth: usize,
    /// Expressions inside each other, in a function.
    pub function_expression_depth: usize,
    /// Bytes of one string.
    pub string_bytes: usize,
    /// Items of one array.
    pub array_items: usize,
    /// Entries of one map.
    pub map_entries: usize,
    /// Functions of one file.
    pub functions: usize,
    /// Variables at one time.
    pub variables: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            call_levels: 48,
            expression_depth: 64,
            function_expression_depth: 32,
            string_bytes: 256 * 1024,
            array_items: 5_000,
            map_entries: 1_000,
            functions: 256,
            variables: 128,
        }
    }
}

impl Sizes {
    /// The sizes for this program: whole with the meter, a quarter without it, because then nothing else bounds memory.
    pub fn for_this_program() -> Self {
        let whole = Self::default();
        if Meter::installed() {
            return whole;
        }
        static TOLD: Once = Once::new();
        TOLD.call_once(|| tracing::warn!("bursar::Meter is not the allocator: scripts get a quarter of the sizes"));
        Self {
            string_bytes: whole.string_bytes / 4,
            array_items: whole.array_items / 4,
            map_entries: whole.map_entries / 4,
            ..whole
        }
    }
}

/// An engine with nothing but the allowed packages, our values and the limits.
pub fn engine() -> Engine {
    engine_with(&Sizes::for_this_program())
}

/// The same with sizes of one's own.
pub fn engine_with(sizes: &Sizes) -> Engine {
    let mut engine = Engine::new_raw();
    engine.set_max_strings_interned(256);
    ArithmeticPackage::new().register_into_engine(&mut engine);
    LogicPackage::new().register_into_engine(&mut engine);
    BasicStringPackage::new().register_into_engine(&mut engine);
    MoreStringPackage::new().register_into_engine(&mut engine);
    BasicArrayPackage::new().register_into_engine(&mut engine);
    BasicMapPackage::new().register_into_engine(&mut engine);
    BasicIteratorPackage::new().register_into_engine(&mut engine);
    BasicMathPackage::new().register_into_engine(&mut engine);
    BasicFnPackage::new().register_into_engine(&mut engine);
    for symbol in ["eval", "curry", "import", "export"] {
        engine.disable_symbol(symbol);
    }
    engine
        .set_max_operations(0) // the run's own budget counts them, see `budget`
        .set_max_call_levels(sizes.call_levels)
        .set_max_expr_depths(sizes.expression_depth, sizes.function_expression_depth)
        .set_max_string_size(sizes.string_bytes)
        .set_max_array_size(sizes.array_items)
        .set_max_map_size(sizes.map_entries)
        .set_max_modules(0)
        .set_max_functions(sizes.functions)
        .set_max_variables(sizes.variables)
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(true)
        .set_fast_operators(false)
        .set_allow_shadowing(false)
        .set_optimization_level(OptimizationLevel::None);
    engine.on_progress(|operations| budget::exceeded(operations).map(Into::into));
    engine.on_print(budget::printed);
    engine.on_debug(|text, _, _| budget::printed(text));
    comparison::register(&mut engine);
    values::register(&mut engine);
    answers::register(&mut engine);
    engine
}

/// Starts a thread on which scripts may run: its stack holds values nested as deeply as the memory limit lets them.
///
/// # Errors
/// When the system gives no thread.
pub fn spawn_script_thread<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<thread::JoinHandle<T>> {
    thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(body)
}
