//! The file with the master keys: made by `bursar init`, and given a newer key by `bursar keys new-master-key`.

use std::io::Write;
use std::path::Path;

use bursar::config::{self, Config};
use bursar::seal::{KEY_BYTES, Ring};

use super::connect::{Context, file_failure};
use super::exit::{Exit, Failure, Outcome};

/// Makes the configured key file where there is none; whether it did. Nobody but its owner may read it.
pub(crate) fn make_missing(config: &Config) -> Result<bool, Failure> {
    match &config.key_file {
        Some(path) if !path.exists() => {
            write(path, &Ring::line(1, &fresh()?))?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// Puts a fresh key above those there are: it seals from now on, and they go on opening what they sealed.
pub(crate) fn add(context: &Context) -> Outcome {
    let config = context.load()?;
    let Some(path) = &config.key_file else {
        let told = "no key file is configured";
        return Err(
            Failure::usage(told).mend("write `[secrets]` and `key_file = \"bursar.key\"` into bursar.toml first")
        );
    };
    if make_missing(&config)? {
        context.out.say(&format!("made {}", path.display()));
        return Ok(Exit::Done);
    }
    // The keys that are there must read before anything is written over them.
    let numbers = config.ring(&|_| None)?.numbers();
    let number = (1..=u8::MAX).find(|number| numbers.iter().all(|known| known < number));
    let number = number.ok_or_else(|| {
        let told = format!("{} has a key of number 255, and there is no higher one", path.display());
        Failure::new(Exit::Failed, told).mend("seal everything again and take the old lines out: bursar keys reseal")
    })?;
    let kept = std::fs::read_to_string(path).map_err(|error| file_failure("read", path, &error))?;
    let beside = path.with_extension("new");
    write(&beside, &format!("{}{kept}", Ring::line(number, &fresh()?)))?;
    std::fs::rename(&beside, path).map_err(|error| file_failure("replace", path, &error))?;
    context.out.say(&format!("key {number} of {} seals from the next start on", path.display()));
    context.out.say("then: bursar keys reseal, and the older lines can go");
    if config::environment("BURSAR_KEY").is_some() {
        context.out.say("BURSAR_KEY is set and stands above the file");
    }
    Ok(Exit::Done)
}

fn fresh() -> Result<[u8; KEY_BYTES], Failure> {
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| Failure::new(Exit::Failed, format!("get randomness: {error}")))?;
    Ok(bytes)
}

/// Writes a new file that its owner alone may read, down to the disk: what is sealed with a key that is lost, is lost.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    use std::os::unix::fs::OpenOptionsExt;
    let failed = |error: &std::io::Error| file_failure("write", path, error);
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = opened.map_err(|error| failed(&error))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| failed(&error))
}
