//! What was missed on the channels of several parts, told together: a master that is lost takes its parts' channels with it,
//! and they come back one by one.

use std::{cell::Cell, rc::Rc, time::Duration};

/// How long later cuts are gathered.
const GATHERED_FOR: Duration = Duration::from_millis(100);

/// Tells the first cut at once, and those that follow soon in one go.
#[derive(Default)]
pub(super) struct Gap(Cell<Told>);

#[derive(Clone, Copy, Default)]
enum Told {
    /// Nothing lately.
    #[default]
    Nothing,
    /// Something lately.
    Something,
    /// And there is more to tell.
    NotAll,
}

impl Gap {
    /// Something was missed until now: calls `tell`, now, or once for all cuts that come in these moments.
    pub(super) fn tell(self: &Rc<Self>, tell: impl Fn() + 'static) {
        if !matches!(self.0.get(), Told::Nothing) {
            return self.0.set(Told::NotAll);
        }
        self.0.set(Told::Something);
        tell();
        let gap = Rc::clone(self);
        tokio::task::spawn_local(async move {
            loop {
                tokio::time::sleep(GATHERED_FOR).await;
                match gap.0.replace(Told::Something) {
                    Told::NotAll => tell(),
                    Told::Nothing | Told::Something => return gap.0.set(Told::Nothing),
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn until(holds: impl Fn() -> bool) {
        let held = async {
            while !holds() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), held).await.expect("it does not come about");
    }

    #[tokio::test]
    async fn cuts_that_follow_each_other_are_told_at_the_first_and_behind_the_last() {
        let told = Rc::new(Cell::new(0));
        let tell = || {
            let told = Rc::clone(&told);
            move || told.set(told.get() + 1)
        };
        let cuts = async {
            let gap = Rc::<Gap>::default();
            (0..5).for_each(|_| gap.tell(tell()));
            assert_eq!(told.get(), 1, "at once");
            until(|| told.get() > 1).await;
            gap.tell(tell());
            assert_eq!(told.get(), 2, "once more for all others");
            until(|| matches!(gap.0.get(), Told::Nothing)).await;
            assert_eq!(told.get(), 3, "also behind that");
            gap.tell(tell());
            assert_eq!(told.get(), 4, "and after a pause at once again");
        };
        tokio::task::LocalSet::new().run_until(cuts).await;
    }
}
