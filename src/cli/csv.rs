//! Files of comma separated values, with a head line that names the columns.

use super::exit::Failure;

/// One row: its line in the file, and its cells by column.
pub(crate) struct Row {
    /// The line it begins on, from one.
    pub(crate) line: usize,
    cells: Vec<(String, String)>,
}

impl Row {
    /// The cell of a column; none where it is empty or there is no such column.
    pub(crate) fn cell(&self, column: &str) -> Option<&str> {
        let found = self.cells.iter().find(|(name, _)| name == column).map(|(_, cell)| cell.as_str());
        found.filter(|cell| !cell.is_empty())
    }

    /// A cell that has to be there. The failure names the place and never what else the row holds.
    pub(crate) fn needed(&self, column: &str) -> Result<&str, Failure> {
        let told = || Failure::usage(format!("line {}: the column {column} is empty", self.line));
        self.cell(column).ok_or_else(told)
    }
}

/// The rows of a file whose columns are all known; names are read in any case, with `_` or without.
pub(crate) fn rows(text: &str, known: &[&str]) -> Result<Vec<Row>, Failure> {
    let mut lines = records(text)?.into_iter();
    let (_, head) = lines.next().ok_or_else(|| Failure::usage("the file is empty"))?;
    let plain = |name: &str| name.trim().trim_start_matches('\u{feff}').replace('_', "").to_lowercase();
    let mut columns = Vec::new();
    for name in &head {
        let found = known.iter().find(|known| plain(known) == plain(name));
        columns.push(found.copied().ok_or_else(|| {
            let told = format!("there is no column {name:?} here; there are {}", known.join(", "));
            Failure::usage(told).mend("the first line names the columns")
        })?);
    }
    let mut rows = Vec::new();
    for (line, cells) in lines.filter(|(_, cells)| cells.iter().any(|cell| !cell.trim().is_empty())) {
        if cells.len() != columns.len() {
            let told = format!("line {line}: {} cells, and the head names {}", cells.len(), columns.len());
            return Err(Failure::usage(told));
        }
        let cells = columns.iter().map(|name| (*name).to_owned()).zip(cells.iter().map(|cell| cell.trim().to_owned()));
        rows.push(Row { line, cells: cells.collect() });
    }
    Ok(rows)
}

/// The cells of each record with the line it begins on; quotes hold commas, line ends and doubled quotes.
fn records(text: &str) -> Result<Vec<(usize, Vec<String>)>, Failure> {
    let (mut records, mut cells, mut cell) = (Vec::new(), Vec::new(), String::new());
    let (mut line, mut begun, mut quoted) = (1, 1, false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            '"' if quoted || cell.is_empty() => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                cells.push(std::mem::take(&mut cell));
                records.push((begun, std::mem::take(&mut cells)));
                begun = line + 1;
            }
            '\r' if !quoted && letters.peek() == Some(&'\n') => {}
            other => cell.push(other),
        }
        line += usize::from(letter == '\n');
    }
    if quoted {
        return Err(Failure::usage(format!("line {begun}: a quote is opened and never closed")));
    }
    if !cell.is_empty() || !cells.is_empty() {
        cells.push(cell);
        records.push((begun, cells));
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_found_by_the_names_of_the_head_line() {
        let text = "\u{feff}Device,activated_at\r\n\"a \"\"b\"\", c\",2021-05-01\r\n\r\n\"two\nlines\",x\n";
        let rows = rows(text, &["device", "activatedAt"]).unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].line, rows[0].cell("device")), (2, Some("a \"b\", c")));
        assert_eq!((rows[1].line, rows[1].needed("device").unwrap()), (4, "two\nlines"));
        assert!(rows[1].cell("product").is_none());
    }

    #[test]
    fn what_does_not_read_is_told_with_its_line() {
        let told = |text: &str| rows(text, &["device", "key"]).err().map(|failure| failure.told).unwrap();
        assert!(told("").contains("empty"));
        assert!(told("device,kee\n").contains("there is no column \"kee\""));
        assert!(told("device,key\na,b\nSECRET\n").contains("line 3: 1 cells"));
        assert!(!told("device,key\na,b\nSECRET\n").contains("SECRET"));
        assert!(told("device,key\na,\"b\n").contains("line 2"));
        let rows = rows("device,key\n,SECRET\n", &["device", "key"]).unwrap();
        let told = rows[0].needed("device").err().map(|failure| failure.told).unwrap();
        assert!(told.contains("line 2") && !told.contains("SECRET"));
    }
}
