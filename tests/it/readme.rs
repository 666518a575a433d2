//! The tour of README.md is run as a new user runs it, command by command, and prints what the README shows. Where the
//! program has changed on purpose, `BURSAR_README=write cargo test readme` writes what it prints now.

use std::path::{Path, PathBuf};
use std::process::Command;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

/// Runs commands one after the other as a shell does: the folder and the last exit code stay.
struct Shell {
    folder: PathBuf,
    exit: i32,
}

impl Shell {
    fn run(&mut self, command: &str) -> String {
        if let Some(folder) = command.strip_prefix("cd ") {
            self.folder.push(folder);
            return String::new();
        }
        let program = Path::new(env!("CARGO_BIN_EXE_bursar")).parent().unwrap();
        let line = format!("exec 2>&1; PATH={}:$PATH; (exit {}); {command}", program.display(), self.exit);
        let mut shell = Command::new("bash");
        shell.args(["-c", &line]).current_dir(&self.folder);
        for name in ["BURSAR_CONFIG", "BURSAR_STORE", "BURSAR_LIBRARY", "BURSAR_LISTEN", "BURSAR_TOKEN", "BURSAR_LOG"] {
            shell.env_remove(name);
        }
        let output = shell.output().unwrap();
        self.exit = output.status.code().unwrap_or(-1);
        String::from_utf8(output.stdout).unwrap()
    }
}

/// A hash of a file covers the commerce terms, which change more often than this tour.
fn without_hashes(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let (before, after) = rest.split_at(at + 1);
        let digits = after.bytes().take_while(u8::is_ascii_hexdigit).count();
        out.push_str(before);
        out.push_str(if digits == 16 { "HASH" } else { &after[..digits] });
        rest = &after[digits..];
    }
    out + rest
}

/// A command with what is typed into it (`<<'END'`), and what was shown to come of it.
fn commands(block: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut typing = false;
    for line in block.lines() {
        match (line.strip_prefix("$ "), found.last_mut()) {
            (_, Some((command, _))) if typing => {
                command.push_str(&format!("\n{line}"));
                typing = line != "END";
            }
            (Some(command), _) => {
                typing = command.contains("<<'END'");
                found.push((command.to_owned(), String::new()));
            }
            (None, Some((_, shown))) => shown.push_str(&format!("{line}\n")),
            (None, None) => panic!("a block begins with a command: {line}"),
        }
    }
    found
}

#[cfg(unix)]
#[test]
fn the_tour_prints_what_it_shows() {
    let readme = std::fs::read_to_string(README).unwrap();
    let home = tempfile::tempdir().unwrap();
    for name in ["examples", "policies"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        std::os::unix::fs::symlink(from, home.path().join(name)).unwrap();
    }
    let mut shell = Shell { folder: home.path().to_owned(), exit: 0 };
    let (mut written, mut rest, mut ran) = (String::new(), readme.as_str(), 0);
    let mut differences = Vec::new();
    while let Some(at) = rest.find("```console\n") {
        let (before, after) = rest.split_at(at + "```console\n".len());
        // A file of ours that the text asks to be written.
        if let Some((path, file)) = before.split_once("Put this into `").and_then(|(_, told)| told.split_once('`')) {
            let text = file.split_once("```rhai\n").and_then(|(_, text)| text.split_once("```")).unwrap().0;
            std::fs::write(shell.folder.join(path), text).unwrap();
        }
        let (block, left) = after.split_at(after.find("```").unwrap());
        written.push_str(before);
        for (command, shown) in commands(block) {
            let printed = shell.run(&command);
            let printed: String = printed.lines().map(|line| format!("{}\n", line.trim_end())).collect();
            if without_hashes(&printed) != without_hashes(&shown) {
                differences.push(format!("$ {command}\nshown:\n{shown}printed:\n{printed}"));
            }
            written.push_str(&format!("$ {command}\n{printed}"));
            ran += 1;
        }
        rest = left;
    }
    written.push_str(rest);
    assert!(ran > 20, "{ran}");
    if std::env::var_os("BURSAR_README").is_some() {
        std::fs::write(README, written).unwrap();
        return;
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
