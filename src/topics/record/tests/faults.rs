//! Messages that panic, among others.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::{
    leaves::books,
    model::{Step, step},
    *,
};

/// Where the publishing of a message panics.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Before,
    /// When it is kept, and something else has left for it.
    Behind,
}

fn fault() -> impl Strategy<Value = Option<Fault>> {
    prop_oneof![3 => Just(None), 1 => Just(Some(Fault::Before)), 1 => Just(Some(Fault::Behind))]
}

/// What follows, in its order.
fn said(effects: &[Effect]) -> String {
    serde_json::to_string(effects).unwrap()
}

proptest! {
    /// Those that panic leave no trace, and the others are published as if they had come without them. Where all do, the
    /// engine hears of it, and can undo the command as it can any other.
    #[test]
    fn a_panic_costs_one_message(history in 0..4_usize, topics in 1..4_usize, steps in prop::collection::vec((step(), fault(), any::<bool>()), 1..60)) {
        let [mut bench, mut twin] = [history; 2].map(Bench::new);
        let limits = KeepLimits { topics, history_bytes: 8 * MESSAGE_COST, ..bench.rules.limits };
        (bench.rules.limits, twin.rules.limits) = (limits, limits);
        let (rules, mut together) = (bench.rules.clone(), Vec::new());
        for (step, fault, goes) in steps {
            match step {
                Step::Publish { topic, data, retain, expiry_ms, is_visitor } => {
                    together.push((Publication { is_visitor, ..publication(topic, data, retain, expiry_ms) }, fault));
                    if !goes {
                        continue;
                    }
                }
                Step::Wait(ms) => [&mut bench, &mut twin].into_iter().for_each(|bench| bench.wait(ms)),
                Step::Save => {}
            }
            [&mut bench, &mut twin].into_iter().for_each(|bench| bench.wait(0));
            let (all, faults): (Vec<_>, Vec<_>) = std::mem::take(&mut together).into_iter().unzip();
            let good = all.iter().zip(&faults).filter(|(_, fault)| fault.is_none());
            let good: Vec<_> = good.map(|(one, _)| one.clone()).collect();
            let (before, checkpoint, now) = (books(&bench.record), bench.record.checkpoint(), bench.now);
            let (mut effects, mut expected, mut next) = (Vec::new(), Vec::new(), faults.iter());
            let publish = |row: &mut GroupTopics, one: Publication, effects: &mut Vec<Effect>| {
                let (group, fault) = (rules.of(&group()), next.next().copied().flatten());
                if matches!(fault, Some(Fault::Before)) {
                    resume_unwind(Box::new("meant"));
                }
                let place = row.publish(one, now, group, &rules.limits, effects);
                fault.map_or(place, |_| resume_unwind(Box::new("meant")))
            };
            let record = &mut bench.record;
            let reply = catch_unwind(AssertUnwindSafe(|| record.publish_all(all, &mut effects, publish)));
            if good.is_empty() && !faults.is_empty() {
                prop_assert!(reply.is_err());
                bench.record.roll_back(checkpoint);
                prop_assert_eq!(books(&bench.record), before);
                continue;
            }
            let (refused, reply): (Vec<_>, Vec<_>) =
                reply.unwrap().into_iter().zip(&faults).partition(|(_, fault)| fault.is_some());
            let is_refused = |place: &Place| place.as_ref().is_err_and(|problem| problem.code == ErrorCode::Internal);
            prop_assert!(refused.iter().all(|(place, _)| is_refused(place)));
            let places = twin.record.apply(&group(), Command::Publish(good), now, &rules, &mut expected);
            let positions = |places: Vec<Place>| places.into_iter().map(Result::ok).collect::<Vec<_>>();
            prop_assert_eq!(positions(reply.into_iter().map(|(place, _)| place).collect()), positions(places));
            prop_assert_eq!(said(&effects), said(&expected));
            prop_assert_eq!(books(&bench.record), books(&twin.record));
            let changed = |bench: &Bench| bench.record.written(Which::Changed).unwrap();
            prop_assert_eq!(changed(&bench), changed(&twin));
            [&mut bench, &mut twin].into_iter().for_each(|bench| bench.record.stands());
        }
    }
}
