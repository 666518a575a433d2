//! The promises of sealing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use super::{KEY_BYTES, Ring, RingError, SealError, Secret};

fn ring(lines: &[(u8, u8)]) -> Ring {
    let text: String = lines.iter().map(|(number, byte)| Ring::line(*number, &[*byte; KEY_BYTES])).collect();
    Ring::parse(&text).unwrap()
}

#[test]
fn what_is_sealed_opens_in_its_place_and_nowhere_else() {
    let ring = ring(&[(1, 7)]);
    let secret = Secret::new("AAAAA-BBBBB");
    let sealed = ring.seal(b"here", b"seed", &secret).unwrap();
    assert_eq!(ring.open(b"here", &sealed).unwrap(), secret);
    assert_eq!(ring.open(b"there", &sealed), Err(SealError::Altered(1)));
    for index in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[index] ^= 1;
        assert!(ring.open(b"here", &changed).is_err(), "byte {index} was changed and it opened");
    }
    for length in 0..sealed.len() {
        assert!(ring.open(b"here", &sealed[..length]).is_err(), "{length} bytes of it opened");
    }
}

#[test]
fn the_same_gives_the_same_bytes_and_anything_else_another_nonce() {
    let ring = ring(&[(1, 7)]);
    let nonce = |place: &str, seed: &str, secret: &str| {
        let sealed = ring.seal(place.as_bytes(), seed.as_bytes(), &Secret::new(secret)).unwrap();
        sealed[2..26].to_vec()
    };
    assert_eq!(nonce("p", "s", "one"), nonce("p", "s", "one"));
    let nonces = [
        nonce("p", "s", "one"),
        nonce("p", "s", "two"),
        nonce("p", "t", "one"),
        nonce("q", "s", "one"),
        // What stands in one part does not count for another.
        nonce("ps", "", "one"),
        nonce("", "ps", "one"),
    ];
    for (index, one) in nonces.iter().enumerate() {
        assert!(!nonces[index + 1..].contains(one), "{index}");
    }
}

#[test]
fn a_second_key_seals_from_now_on_and_the_first_still_opens() {
    let before = ring(&[(1, 7)]);
    let after = ring(&[(2, 9), (1, 7)]);
    let secret = Secret::new("kept");
    let old = before.seal(b"p", b"s", &secret).unwrap();
    let new = after.seal(b"p", b"s", &secret).unwrap();
    assert_eq!((Ring::number_of(&old), Ring::number_of(&new)), (Some(1), Some(2)));
    assert_eq!(after.open(b"p", &old).unwrap(), secret);
    assert_eq!(after.open(b"p", &new).unwrap(), secret);
    assert_eq!(before.open(b"p", &new), Err(SealError::KeyMissing(2)));
    // The same number for another key is told from a missing one.
    assert_eq!(ring(&[(1, 8)]).open(b"p", &old), Err(SealError::Altered(1)));
}

#[test]
fn without_a_key_nothing_is_sealed_or_opened() {
    let locked = Ring::locked("there is no file bursar.key");
    assert!(!locked.is_open());
    let error = locked.seal(b"p", b"s", &Secret::new("x")).unwrap_err();
    assert_eq!(error.to_string(), "there is no file bursar.key");
    assert!(matches!(locked.open(b"p", &[1; 60]), Err(SealError::Locked(_))));
}

#[test]
fn key_files_are_read_strictly_and_never_repeated() {
    let good = Ring::line(1, &[7; KEY_BYTES]);
    assert!(Ring::parse(&format!("# the first one\n\n{good}")).unwrap().is_open());
    let short = "1 c2hvcnQ=";
    let cases = [
        (String::new(), RingError::Empty),
        ("# nothing\n".to_owned(), RingError::Empty),
        (short.to_owned(), RingError::Malformed(1)),
        (good.replacen('1', "0", 1), RingError::Malformed(1)),
        (good.replacen('1', "256", 1), RingError::Malformed(1)),
        (format!("{good}1 nonsense"), RingError::Malformed(2)),
        (format!("{good}{good}"), RingError::Twice(2)),
    ];
    for (text, error) in cases {
        let told = Ring::parse(&text).unwrap_err();
        assert_eq!(told, error, "{text}");
        assert!(!told.to_string().contains("c2hvcnQ"));
    }
}

#[test]
fn nothing_shows_a_secret_by_accident() {
    let ring = ring(&[(3, 7)]);
    let shown = format!("{ring:?} {:?}", Secret::new("AAAAA"));
    assert_eq!(shown, "Ring(keys [3], redacted) Secret(redacted)");
}
