//! Dates relative to now in documents that ship: `{{now+2s}}`, `{{now-30d}}`, `{{today+P1Y}}`.
//!
//! A document of examples would be old the day after it was written. Pure: `now` is handed in.

use crate::domain::calendar;
use crate::domain::{Instant, Refusal, Span};

/// The text with every `{{now..}}` and `{{today..}}` replaced by the instant it means; `today` is the midnight that
/// began the day. The offset is a number with `s`, `m`, `h`, `d` or `w`, or an ISO-8601 length. Other placeholders stay.
///
/// # Errors
/// `bad_placeholder` for an offset that is none of these or lies beyond the calendar.
pub fn resolve(text: &str, now: Instant) -> Result<String, Refusal> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((inside, after)) = behind.split_once("}}") else {
            out.push_str("{{");
            rest = behind;
            continue;
        };
        match instant(inside.trim(), now) {
            Some(found) => out.push_str(&calendar::show(found?)),
            None => {
                out.push_str("{{");
                rest = behind;
                continue;
            }
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn instant(inside: &str, now: Instant) -> Option<Result<Instant, Refusal>> {
    let (base, offset) = if let Some(offset) = inside.strip_prefix("today") {
        (super::field::midnight(now)?, offset)
    } else {
        (now, inside.strip_prefix("now")?)
    };
    let bad = || {
        let shown: String = inside.chars().take(40).collect();
        Refusal::new("bad_placeholder", format!("'{shown}' is no instant such as now+2s, now-30d or today+P1Y"))
    };
    let moved = match (offset.chars().next(), offset.get(1..)) {
        (None, _) => Some(base),
        (Some('+'), Some(length)) => span(length).and_then(|length| length.after(base)),
        (Some('-'), Some(length)) => span(length).and_then(|length| length.before(base)),
        // A longer word (`nowhere`) is somebody else's placeholder.
        _ => return None,
    };
    Some(moved.ok_or_else(bad))
}

fn span(text: &str) -> Option<Span> {
    let text = text.trim();
    if text.starts_with('P') {
        return text.parse().ok();
    }
    let unit = text.chars().last()?;
    let count: u32 = text.strip_suffix(unit)?.parse().ok()?;
    let seconds = |each: u32| Some(Span { months: 0, days: 0, seconds: count.checked_mul(each)? });
    match unit {
        's' => seconds(1),
        'm' => seconds(60),
        'h' => seconds(3600),
        'd' => Some(Span::days(count)),
        'w' => Some(Span::days(count.checked_mul(7)?)),
        _ => None,
    }
}
