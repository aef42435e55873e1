use proptest::prelude::*;

use super::*;
use crate::auth::{Key, Scope, Voucher};

const NOW: Timestamp = Timestamp(1_700_000_000_500);

fn agent(group: &str, subject: &str, jti: &str, issued: Timestamp) -> Agent {
    Agent {
        group: group.parse().unwrap(),
        subject: subject.into(),
        name: None,
        scope: Scope::READ,
        topics: crate::model::topic::Rights::default(),
        jti: jti.into(),
        issued,
        expires: issued + 7_200_000,
        voucher: voucher(),
    }
}

fn voucher() -> Voucher {
    let key = Key::unnamed_secret(&"0123456789abcdef0123456789abcdef".into()).unwrap();
    Voucher { issuer: None, key: key.print() }
}

fn revocation(id: &str, group: &str, target: Target, made: Timestamp) -> Revocation {
    let group = group.parse().unwrap();
    Revocation { id: id.into(), group, target, made, by: "op".into(), reason: None }
}

#[test]
fn each_target_touches_its_tokens_and_no_others() {
    let revocations = Revocations::default();
    let ada = |issued| agent("1", "ada", "j-1", issued);
    assert!(!revocations.touches(&ada(NOW)));
    revocations.put(revocation("a", "1", Target::Token("j-1".into()), NOW)).unwrap();
    assert!(revocations.touches(&ada(NOW)) && revocations.touches(&ada(NOW + 60_000)));
    assert!(!revocations.touches(&agent("1", "ada", "j-2", NOW)));
    assert!(!revocations.touches(&agent("2", "ada", "j-1", NOW)), "another group's");
    revocations.put(revocation("b", "1", Target::Subject("bob".into()), NOW)).unwrap();
    let bob = |issued| agent("1", "bob", "j-3", issued);
    assert!(revocations.touches(&bob(NOW - 500)), "the same second");
    assert!(!revocations.touches(&bob(NOW + 500)), "the next second");
    assert_eq!(revocations.first_good_second(&"1".parse().unwrap(), "bob"), 1_700_000_001);
    assert_eq!(revocations.first_good_second(&"1".parse().unwrap(), "eve"), 0);
    let needless = revocations.put(revocation("c", "1", Target::Group, NOW + 6_000)).unwrap();
    assert_eq!((needless.len(), revocations.len()), (2, 1));
    assert!(revocations.touches(&agent("1", "eve", "j-9", NOW)));
    assert!(revocations.touches(&ada(NOW)) && revocations.touches(&bob(NOW)));
    assert!(
        revocations.remove(&"2".parse().unwrap(), "c").is_none(),
        "another group's name for it"
    );
    assert!(revocations.remove(&"1".parse().unwrap(), "c").is_some());
    assert!(!revocations.touches(&ada(NOW)));
}

#[test]
fn what_can_touch_no_token_any_more_is_forgotten() {
    let revocations = Revocations::default();
    let one = revocation("a", "1", Target::Group, NOW);
    let until = one.until();
    assert!(
        until >= agent("1", "a", "j", NOW + 5_000).expires,
        "tokens of a clock that runs ahead, too"
    );
    revocations.put(one).unwrap();
    revocations.forget(until - 1);
    assert_eq!(revocations.len(), 1);
    revocations.forget(until);
    assert!(revocations.is_empty() && revocations.by_group.read().is_empty());
}

#[test]
fn a_group_has_its_bound_and_the_bound_has_a_way_out() {
    let revocations = Revocations::default();
    let token = |n: usize| {
        let name = format!("{n:05}");
        revocation(&name, "1", Target::Token(name.as_str().into()), NOW)
    };
    for n in 0..MAX_REVOCATIONS {
        revocations.put(token(n)).unwrap();
    }
    assert_eq!(revocations.put(token(MAX_REVOCATIONS)).unwrap_err().code, ErrorCode::TooMany);
    revocations.put(token(3)).unwrap();
    revocations.put(revocation("x", "2", Target::Token("j".into()), NOW)).unwrap();
    let listed = revocations.list(&"1".parse().unwrap(), Some("00003"), 2);
    let names: Vec<_> = listed.iter().map(|one| &*one.id).collect();
    assert_eq!(names, ["00004", "00005"]);
    revocations.put(revocation("y", "1", Target::Group, NOW + 6_000)).unwrap();
    assert_eq!(revocations.len(), 2);
}

#[test]
fn each_revocation_is_told() {
    let changes = Changes::default();
    let revocations = Revocations::new(changes.clone());
    let (before, told) = (changes.number(), changes.watch());
    revocations.put(revocation("a", "1", Target::Group, NOW)).unwrap();
    assert_ne!(changes.number(), before);
    assert!(told.has_changed().unwrap());
}

#[test]
fn a_token_that_is_dated_ahead_stays_revoked_by_its_name() {
    let revocations = Revocations::default();
    let ahead = agent("1", "ada", "j-1", NOW + 1_500);
    revocations.put(revocation("a", "1", Target::Token("j-1".into()), NOW)).unwrap();
    let needless = revocations.put(revocation("b", "1", Target::Group, NOW + 100)).unwrap();
    assert_eq!(needless, []);
    assert!(revocations.touches(&ahead));
    let needless = revocations.put(revocation("c", "1", Target::Group, NOW + 6_000)).unwrap();
    assert_eq!(needless.len(), 2);
    assert!(revocations.touches(&ahead));
}

#[test]
fn a_second_revocation_touches_what_was_dated_ahead_after_the_first() {
    let group: GroupId = "1".parse().unwrap();
    let subject = Target::Subject("ada".into());
    for (first, second) in [
        (Target::Group, Target::Group),
        (subject.clone(), subject.clone()),
        (subject.clone(), Target::Group),
        (Target::Group, subject),
    ] {
        let revocations = Revocations::default();
        assert_eq!(revocations.moment(&group, &first, NOW), NOW);
        revocations.put(revocation("a", "1", first, NOW)).unwrap();
        let fresh = Timestamp(revocations.first_good_second(&group, "ada") * 1_000);
        let bearer = agent("1", "ada", "j", fresh);
        assert!(!revocations.touches(&bearer));
        let made = revocations.moment(&group, &second, NOW + 100);
        revocations.put(revocation("b", "1", second.clone(), made)).unwrap();
        assert!(revocations.touches(&bearer));
        // However often: fresh tokens are never dated further ahead than is believed.
        for _ in 0..10 {
            let made = revocations.moment(&group, &second, NOW + 200);
            revocations.put(revocation("c", "1", second.clone(), made)).unwrap();
        }
        let first_good = revocations.first_good_second(&group, "ada");
        assert!(first_good <= (NOW.0 + 200) / 1_000 + SKEW_SECONDS);
    }
}

#[test]
fn an_outside_issuers_clock_may_run_ahead() {
    let revocations = Revocations::default();
    let theirs = |issued| {
        let voucher = Voucher { issuer: Some("https://id.example".into()), ..voucher() };
        Agent { voucher, ..agent("1", "ada", "j-1", issued) }
    };
    revocations.put(revocation("a", "1", Target::Subject("ada".into()), NOW)).unwrap();
    assert!(revocations.touches(&theirs(NOW + 5_000)));
    assert!(!revocations.touches(&theirs(NOW + 5_001)));
    assert!(!revocations.touches(&agent("1", "ada", "j-1", NOW + 1)));
}

proptest! {
    /// Against a list of all that was ever asked for.
    #[test]
    fn it_agrees_with_a_list(
        steps in prop::collection::vec((0..4_u8, 0..3_u8, 0..5_000_u64), 1..40),
        tokens in prop::collection::vec((0..3_u8, 0..3_u8, 0..100_000_u64), 1..20),
    ) {
        let revocations = Revocations::default();
        let mut asked: Vec<Revocation> = Vec::new();
        let mut now = NOW;
        for (number, (kind, whom, pause)) in steps.into_iter().enumerate() {
            now = now + pause;
            let target = match kind {
                0 => Target::Group,
                1 => Target::Subject(format!("s{whom}").into()),
                _ => Target::Token(format!("j{whom}").into()),
            };
            let one = revocation(&number.to_string(), "1", target, now);
            revocations.put(one.clone()).unwrap();
            asked.push(one);
        }
        for (subject, jti, age) in tokens {
            // Names are not used twice: a token that was named in a revocation exists by then, and its maker's clock
            // runs ahead by 5 s at most.
            let issued = NOW + SKEW_SECONDS * 1_000 - age;
            let bearer = agent("1", &format!("s{subject}"), &format!("j{jti}"), issued);
            let expected = asked.iter().any(|one| match &one.target {
                Target::Group => bearer.issued <= one.made,
                Target::Subject(subject) => *subject == bearer.subject && bearer.issued <= one.made,
                Target::Token(jti) => *jti == bearer.jti,
            });
            prop_assert_eq!(revocations.touches(&bearer), expected);
        }
    }
}
