//! The master keys that software keys and links are sealed with: from `BURSAR_KEY`, else from the file of `[secrets]`.

use std::io;

use super::{Config, ConfigError, SECRET_FILE_BYTES_MAX, read_text};
use crate::seal::Ring;

/// The environment variable that holds master keys instead of a file.
const VARIABLE: &str = "BURSAR_KEY";

impl Config {
    /// The master keys. Without any, nothing is sealed or shown, and the ring says how to mend that; a missing file is no
    /// mistake, so that a copy of the store can be looked at where its keys are not. Pass
    /// [`environment`](super::environment) for `env`.
    ///
    /// # Errors
    /// A file that cannot be read, may be read by others, or holds no master keys; the same for the variable.
    pub fn ring(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Ring, ConfigError> {
        if let Some(text) = env(VARIABLE) {
            // One line of a shell: several keys are parted by semicolons.
            let read = Ring::parse(&text.replace(';', "\n"));
            return read.map_err(|error| ConfigError::Environment { name: VARIABLE, message: error.to_string() });
        }
        let Some(path) = &self.key_file else {
            return Ok(Ring::locked(
                "no master key is configured: write `[secrets] key_file = \"bursar.key\"` into bursar.toml and make the \
                 file with `bursar keys new-master-key`, or set BURSAR_KEY",
            ));
        };
        let (text, mode) = match read_text(path, SECRET_FILE_BYTES_MAX) {
            Ok(read) => read,
            Err(ConfigError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(Ring::locked(format!(
                    "there is no {}: put the file with the master key back, or set BURSAR_KEY",
                    path.display()
                )));
            }
            Err(error) => return Err(error),
        };
        if mode & 0o077 != 0 {
            return Err(ConfigError::SecretExposed { path: path.clone(), mode });
        }
        Ring::parse(&text).map_err(|source| ConfigError::MasterKey { path: path.clone(), source })
    }
}
