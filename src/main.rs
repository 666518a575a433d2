//! Bursar's program: parse, wire, exit.

mod cli;

#[global_allocator]
static METER: bursar::Meter = bursar::Meter;

fn main() -> std::process::ExitCode {
    cli::main().into()
}
