//! Keys that sign and verify.

use super::*;

#[test]
fn what_is_wrong_with_a_key_is_named() {
    let key = |rest: &str| format!("[[auth.keys]]\nkid = \"k\"\n{rest}");
    let ed = |rest: &str| key(&format!("algorithm = \"EdDSA\"\n{rest}"));
    let file = "private_key_file = \"eddsa.pem\"";
    let issuer = |rest: &str| {
        format!(
            "[[auth.issuers]]\nissuer = \"i\"\naudience = \"a\"\ngroups = [1]\njwks = \"https://i/\"\n{rest}"
        )
    };
    for (text, start) in [
        (key(""), "auth.keys[0].algorithm: is missing: HS256, RS256, ES256 or EdDSA"),
        (key("algorithm = \"none\""), "auth.keys[0].algorithm: must be one of `HS256`"),
        (key("algorithm = \"ES512\""), "auth.keys[0].algorithm: must be one of"),
        (ed(""), "auth.keys[0]: give one of secret, private_key_file, public_key_file"),
        (ed(&format!("{file}\npublic_key_file = \"x\"")), "auth.keys[0]: give one of"),
        (ed("secret = \"0123456789abcdef0123456789abcdef\""), "auth.keys[0].secret: EdDSA needs"),
        (key("algorithm = \"HS256\"\nsecret = \"short\""), "auth.keys[0].secret: must have 32"),
        (ed("private_key_file = \"none.pem\""), "auth.keys[0].private_key_file: "),
        (
            ed("private_key_file = \"es256.pem\""),
            "auth.keys[0].private_key_file: must hold a private key for EdDSA, in PEM (PKCS #8: \
             `openssl genpkey`) (kid k)",
        ),
        (
            key("algorithm = \"RS256\"\nprivate_key_file = \"weak-rsa.pem\""),
            "auth.keys[0].private_key_file: an RSA key must have 2048 to 4096 bits; this one has 1024 (kid k)",
        ),
        (
            ed("public_key_file = \"eddsa.pem\""),
            "auth.keys[0].public_key_file: holds a private key",
        ),
        (
            key("algorithm = \"ES256\"\npublic_key_file = \"es256-public.pem\"\nsign = true"),
            "auth.keys[0].sign: another key signs already",
        ),
        (ed(&format!("{file}\ngroups = [9]")), "auth.keys[0].groups[0]: there is no group"),
        (ed(&format!("{file}\n{}", ed(file))), "auth.keys[1].kid: another key has this kid"),
        (ed(file).replace("\"k\"", "\"\""), "auth.keys[0].kid: must be 1 to 128 printable"),
        (issuer("").replace("\"i\"", "\"vestibule\""), "auth.issuers[0].issuer: this is our own"),
        (issuer("").replace("\"a\"", "\"\""), "auth.issuers[0].audience: must be 1 to 255"),
        (issuer("").replace("[1]", "[]"), "auth.issuers[0].groups: is missing"),
        (issuer("").replace("[1]", "[1, 9]"), "auth.issuers[0].groups[1]: there is no group"),
        (issuer("").replace("https", "http"), "auth.issuers[0].jwks: must be https, unless"),
        (issuer("").replace("https://i/", "no.json"), "auth.issuers[0].jwks: "),
        (issuer("").replace("https://i/", "eddsa.pem"), "auth.issuers[0].jwks: "),
        (issuer("scopes = \"fly\""), "auth.issuers[0].scopes: unknown scope"),
        (issuer("refresh_seconds = 9"), "auth.issuers[0].refresh_seconds: must be 10 to 86400"),
        (issuer(&issuer("")), "auth.issuers[1].issuer: another issuer has this name"),
    ] {
        let error = error_of(&format!("{MINIMAL}\n{text}"), &[]);
        assert!(error.starts_with(start), "{text}\n{error}");
    }
    let unsigned = MINIMAL.replace("signing_key", "#");
    let key =
        "[[auth.keys]]\nkid = \"k\"\nalgorithm = \"ES256\"\npublic_key_file = \"es256-public.pem\"";
    let error = error_of(&format!("{unsigned}\n{key}"), &[]);
    assert!(error.starts_with("auth.signing_key: is missing"), "{error}");
    let error = error_of(&format!("{unsigned}\n{key}\nsign = true"), &[]);
    assert!(error.starts_with("auth.keys[0].sign: a public key cannot sign"), "{error}");
}

#[test]
fn a_key_file_signs_in_place_of_the_signing_key() {
    let unsigned = MINIMAL.replace("signing_key", "#");
    let environment = [
        ("VESTIBULE_AUTH__KEYS__0__KID", "ed"),
        ("VESTIBULE_AUTH__KEYS__0__ALGORITHM", "EdDSA"),
        ("VESTIBULE_AUTH__KEYS__0__PRIVATE_KEY_FILE", "eddsa.pem"),
        ("VESTIBULE_AUTH__KEYS__0__SIGN", "true"),
        ("VESTIBULE_AUTH__KEYS__0__GROUPS", "1,2"),
    ];
    let (settings, folder) = load_text(&unsigned, &environment).unwrap();
    assert_eq!(format!("{:?}", settings.auth.keys), "[ed (EdDSA)]");
    assert_eq!(settings.auth.files, [folder.path().join("eddsa.pem")]);
}
