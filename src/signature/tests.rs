//! The promises of webhook signatures: the public vectors, each way of being wrong, and both edges of the window.

use super::*;
use proptest::prelude::*;

const NOW: i64 = 1_614_265_330;
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const BODY: &[u8] = br#"{"test": 2432232314}"#;
const VECTOR: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

fn secret() -> Secret {
    Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap()
}

fn other_secret() -> Secret {
    Secret::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYX").unwrap()
}

fn headers<'a>(id: &'a str, timestamp: &'a str, signature: &'a str) -> Headers<'a> {
    Headers { id: Some(id), timestamp: Some(timestamp), signature: Some(signature) }
}

fn with_signature(signature: &str) -> Result<Verified, SignatureError> {
    verify(&[secret()], headers(ID, "1614265330", signature), BODY, NOW, TOLERANCE_SECONDS)
}

#[test]
fn known_vectors() {
    assert_eq!(sign(&secret(), ID, NOW, BODY), VECTOR);
    assert_eq!(sign(&other_secret(), "evt-1", 1_700_000_000, b""), "v1,gKjJGqjTpxK1/23lt7lJT/oVpLEnIoqqr1x13l1HjgY=");
    let long = Secret::from_bytes((0..64).collect()).unwrap();
    assert_eq!(sign(&long, "a", 0, &[0, 255, 10]), "v1,wdzLlrRtaHH2F7HJHRsRgQ16YF+JWwCSzeT5aIS0DCQ=");
    let verified = with_signature(VECTOR).unwrap();
    assert_eq!(verified, Verified { id: ID.into(), timestamp: NOW, secret: 0 });
}

#[test]
fn a_missing_header_is_named() {
    let all = headers(ID, "1614265330", VECTOR);
    let check = |given: Headers<'_>, name: &'static str| {
        let error = verify(&[secret()], given, BODY, NOW, 300).unwrap_err();
        assert_eq!(error, SignatureError::MissingHeader(name));
        assert_eq!((error.code(), error.status()), ("webhook_header_missing", 400));
    };
    check(Headers { id: None, ..all }, "webhook-id");
    check(Headers { timestamp: None, ..all }, "webhook-timestamp");
    check(Headers { signature: None, ..all }, "webhook-signature");
}

#[test]
fn every_wrong_signature_gets_one_text() {
    let truncated = &VECTOR[..VECTOR.len() - 4];
    let hexadecimal = "v1,83484cf52b04f8e4cf2531adfed9882ad4b2665137b852442d594d20e2c9d4e1";
    let other_body = sign(&secret(), ID, NOW, br#"{"test":2432232314}"#);
    let other_id = sign(&secret(), "another", NOW, BODY);
    let other_time = sign(&secret(), ID, NOW + 1, BODY);
    let by_another = sign(&other_secret(), ID, NOW, BODY);
    let zeros = format!("v1,{}", STANDARD.encode([0; 32]));
    let hmac_as = |version: &str| VECTOR.replace("v1,", version);
    let wrong = [
        truncated,
        hexadecimal,
        &other_body,
        &other_id,
        &other_time,
        &by_another,
        &zeros,
        &hmac_as("v0,"),
        &hmac_as("v1a,"),
        &hmac_as(""),
        &hmac_as("V1,"),
        "",
        " ",
        "v1,",
        "v1",
        "nonsense",
        &VECTOR.replace(',', "="),
    ];
    for signature in wrong {
        let error = with_signature(signature).expect_err(signature);
        assert_eq!(error, SignatureError::BadSignature, "{signature:?}");
        assert_eq!((error.code(), error.status()), ("bad_signature", 401));
        assert_eq!(error.to_string(), "the signature does not match");
    }
}

#[test]
fn the_window_has_two_edges() {
    let at = |now: i64| verify(&[secret()], headers(ID, "1614265330", VECTOR), BODY, now, 300).map(|_| ());
    let outside = SignatureError::OutsideTolerance { tolerance_seconds: 300 };
    assert_eq!(at(NOW + 300), Ok(()));
    assert_eq!(at(NOW + 301), Err(outside.clone()));
    assert_eq!(at(NOW - 300), Ok(()));
    assert_eq!(at(NOW - 301), Err(outside.clone()));
    assert_eq!((outside.code(), outside.status()), ("timestamp_outside_tolerance", 401));
    let text = |timestamp: &str| verify(&[secret()], headers(ID, timestamp, VECTOR), BODY, NOW, 300).unwrap_err();
    assert_eq!(text("10000000000"), outside);
    assert_eq!(text("9223372036854775807"), outside);
    for malformed in ["abc", "1e10", "9223372036854775808", "", "-5", "+5", " 1614265330", "1614265330.0", "\u{663}"] {
        assert_eq!(text(malformed), SignatureError::BadTimestamp, "{malformed:?}");
    }
    assert_eq!(SignatureError::BadTimestamp.status(), 400);
}

#[test]
fn an_id_is_short_and_plain() {
    let check = |id: &str, fits: bool| {
        let signature = sign(&secret(), id, NOW, BODY);
        let result = verify(&[secret()], headers(id, "1614265330", &signature), BODY, NOW, 300);
        assert_eq!(result.map(|verified| verified.id), if fits { Ok(id.into()) } else { Err(SignatureError::BadId) });
    };
    check(&"x".repeat(ID_LENGTH_MAX), true);
    check(&"x".repeat(ID_LENGTH_MAX + 1), false);
    for id in ["", "a.b", "a b", "a\nb", "a\u{7f}", "\0", "a\u{85}"] {
        check(id, false);
    }
    assert_eq!((SignatureError::BadId.code(), SignatureError::BadId.status()), ("bad_webhook_id", 400));
}

#[test]
fn a_right_signature_among_others_is_found_up_to_five() {
    let wrong = sign(&other_secret(), ID, NOW, BODY);
    let several = |count: usize| format!("{}{VECTOR}", format!("{wrong} ").repeat(count - 1));
    assert!(with_signature(&several(2)).is_ok());
    assert!(with_signature(&several(SIGNATURES_MAX)).is_ok());
    let error = with_signature(&several(SIGNATURES_MAX + 1)).unwrap_err();
    assert_eq!(error, SignatureError::TooManySignatures);
    assert_eq!((error.code(), error.status()), ("too_many_signatures", 400));
    assert_eq!(with_signature(&several(50)), Err(SignatureError::TooManySignatures));
    assert!(with_signature(&format!("v1a,AAAA v0,BBBB {VECTOR}")).is_ok(), "a newer version beside ours is no mistake");
}

#[test]
fn a_rotation_accepts_both_secrets_and_says_which() {
    let old = sign(&other_secret(), ID, NOW, BODY);
    let given = headers(ID, "1614265330", &old);
    let verified = verify(&[secret(), other_secret()], given, BODY, NOW, 300).unwrap();
    assert_eq!(verified.secret, 1);
    assert_eq!(verify(&[secret()], given, BODY, NOW, 300), Err(SignatureError::BadSignature), "after the rotation");
    assert_eq!(verify(&[], given, BODY, NOW, 300), Err(SignatureError::BadSignature), "an unknown hook has no secret");
    let nobody = Secret(vec![0; SECRET_BYTES_MIN]);
    let forged = sign(&nobody, ID, NOW, BODY);
    assert_eq!(
        verify(&[], headers(ID, "1614265330", &forged), BODY, NOW, 300),
        Err(SignatureError::BadSignature),
        "the stand-in for no secret opens nothing"
    );
}

#[test]
fn secrets_have_a_length_and_stay_secret() {
    let encoded = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
    assert_eq!(Secret::parse(&encoded(23)), Err(SecretError::Weak));
    assert!(Secret::parse(&encoded(24)).is_ok());
    assert!(Secret::parse(&encoded(64)).is_ok());
    assert_eq!(Secret::parse(&encoded(65)), Err(SecretError::Long));
    assert_eq!(Secret::parse(""), Err(SecretError::Weak));
    assert_eq!(Secret::parse("whsec_!!!"), Err(SecretError::NotBase64));
    assert_eq!(Secret::parse("whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"), Err(SecretError::NotBase64));
    assert_eq!(SecretError::Weak.code(), "weak_secret");
    let text = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
    let secret = Secret::parse(&format!("{text}\n")).unwrap();
    assert_eq!(secret.reveal(), text);
    assert_eq!(format!("{secret:?}"), "Secret(redacted)");
}

proptest! {
    #[test]
    fn what_is_signed_verifies_and_one_changed_bit_does_not(
        body in prop::collection::vec(any::<u8>(), 1..200), bit in any::<prop::sample::Index>(), timestamp in 0i64..1 << 40,
    ) {
        let signature = sign(&secret(), "id", timestamp, &body);
        let text = timestamp.to_string();
        let given = headers("id", &text, &signature);
        prop_assert!(verify(&[secret()], given, &body, timestamp, 0).is_ok());
        let mut changed = body.clone();
        let bit = bit.index(body.len() * 8);
        changed[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(verify(&[secret()], given, &changed, timestamp, 0), Err(SignatureError::BadSignature));
    }

    #[test]
    fn any_headers_give_an_answer(id in ".*", timestamp in ".*", signature in ".*") {
        prop_assert!(verify(&[secret()], headers(&id, &timestamp, &signature), b"x", NOW, 300).is_err());
    }
}
