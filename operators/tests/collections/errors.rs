//! Errors as data.

use proptest::prelude::*;
use tidemill_operators::collection::Collection;

use crate::history::{Pairs, bag, check, some};

fn parsed((one, two): (u8, u8)) -> Result<u8, String> {
    one.checked_sub(two).ok_or_else(|| format!("{one} is less than {two}"))
}

/// Values and errors as one collection.
fn tried<'s>(left: Pairs<'s>, _: Pairs<'s>) -> Collection<'s, Result<u8, String>> {
    let (values, errors) = left.try_map(parsed);
    values.map(Ok).concat(errors.map(Err))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn an_error_goes_with_its_record(run in some()) {
        check(&run, tried, |left, _| {
            bag(left.iter().map(|(pair, times)| (parsed(*pair), *times)))
        });
    }
}
