//! Every aggregate against a slow model over the whole input: records in any order, split into any
//! parts, saved and restored on the way, and merged in any tree, give the model's answer.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt::Debug;

use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemill_operators::aggregate::{
    Aggregate, ApproxDistinct, Collect, Count, Distinct, First, Fold, Last, Max, Mean, Min,
    Quantiles, Reduce, Sum, TopK, Variance,
};
use tidemill_operators::event::Event;
use tidemill_operators::state::{decode, encode};
use tidemill_operators::time::EventTime;

/// Folds `records` as a job might, in eight ways drawn from `seed`, and asks each time whether the
/// result `agrees` with the model.
fn check<D, A>(aggregate: A, records: &[Event<D>], seed: u64, agrees: impl Fn(&A::Output) -> bool)
where
    D: Clone + Debug,
    A: Aggregate<D>,
    A::Output: Debug,
{
    let mut chance = Chance(seed);
    for way in 0..8 {
        let result = fold_somehow(&aggregate, records, &mut chance);
        let name = std::any::type_name::<A>();
        assert!(agrees(&result), "{name}, seed {seed}, way {way}: {result:?} of {records:?}");
    }
}

fn fold_somehow<D, A>(aggregate: &A, records: &[Event<D>], chance: &mut Chance) -> A::Output
where
    D: Clone,
    A: Aggregate<D>,
{
    let mut shuffled = records.to_vec();
    (1..shuffled.len()).for_each(|it| shuffled.swap(it, chance.below(it + 1)));
    let mut parts: Vec<A::State> = (0..=chance.below(5)).map(|_| aggregate.start()).collect();
    for event in &shuffled {
        let part = chance.below(parts.len());
        aggregate.add(&mut parts[part], event.at, &event.value);
        if chance.below(8) == 0 {
            parts[part] = restart(&parts[part]);
        }
    }
    while parts.len() > 1 {
        let other = parts.swap_remove(chance.below(parts.len()));
        let into = chance.below(parts.len());
        aggregate.merge(&mut parts[into], &restart(&other));
    }
    aggregate.finish(&restart(&parts[0]))
}

fn restart<S: Serialize + DeserializeOwned>(state: &S) -> S {
    decode(&encode(state)).expect("a saved state can be restored")
}

/// Numbers that a seed repeats (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) % end as u64) as usize
    }
}

/// Runs every aggregate of integers against its model.
fn check_integers(records: &[Event<i64>], seed: u64) {
    let values: Vec<i64> = records.iter().map(|it| it.value).collect();
    let mut in_time = records.to_vec();
    in_time.sort();
    let in_time: Vec<i64> = in_time.into_iter().map(|it| it.value).collect();
    let mut sorted = values.clone();
    sorted.sort();

    check(Count, records, seed, |it| *it == values.len() as u64);
    let sum = values.iter().map(|it| i128::from(*it)).sum::<i128>();
    check(Sum::of(|it: &i64| *it), records, seed, |it| *it == sum as i64);
    check(Sum::of(|it: &i64| i128::from(*it)), records, seed, |it| *it == sum);
    check(Sum::of(|it: &i64| *it as u8), records, seed, |it| *it == sum as u8);
    check(Min::of(|it: &i64| *it), records, seed, |it| it.as_ref() == sorted.first());
    check(Max::of(|it: &i64| *it), records, seed, |it| it.as_ref() == sorted.last());
    check(First::of(|it: &i64| *it), records, seed, |it| it.as_ref() == in_time.first());
    check(Last::of(|it: &i64| *it), records, seed, |it| it.as_ref() == in_time.last());
    check(Collect::of(|it: &i64| *it), records, seed, |it| *it == in_time);
    for k in [0, 1, 3, 100] {
        let greatest = TopK::of(k, |it: &i64| *it);
        check(greatest, records, seed, |it| it.iter().eq(sorted.iter().rev().take(k)));
        let least = TopK::of(k, |it: &i64| Reverse(*it));
        check(least, records, seed, |it| it.iter().map(|it| &it.0).eq(sorted.iter().take(k)));
    }
    let distinct = values.iter().collect::<BTreeSet<_>>().len() as u64;
    check(Distinct::of(|it: &i64| *it), records, seed, |it| *it == distinct);
    check(Distinct::of(|it: &i64| it.to_string()), records, seed, |it| *it == distinct);
    // So few are counted exactly.
    check(ApproxDistinct::of(|it: &i64| *it), records, seed, |it| *it == distinct);
    check_closures(records, &values, seed);
}

fn check_closures(records: &[Event<i64>], values: &[i64], seed: u64) {
    let any_bit = values.iter().copied().reduce(|one, other| one | other);
    check(Reduce::by(|one: &i64, other: &i64| one | other), records, seed, |it| *it == any_bit);
    let odd_and_all = Fold::new(
        (0, 0),
        |(odd, all): &mut (usize, usize), it: &i64| {
            *odd += usize::from(it % 2 != 0);
            *all += 1;
        },
        |state, other| *state = (state.0 + other.0, state.1 + other.1),
        |state| *state,
    );
    let odd = values.iter().filter(|it| *it % 2 != 0).count();
    check(odd_and_all, records, seed, |it| *it == (odd, values.len()));
}

/// Runs every aggregate of floats but variance against its model.
fn check_floats(records: &[Event<f64>], seed: u64) {
    let values: Vec<f64> = records.iter().map(|it| it.value).collect();
    let mut numbers: Vec<f64> = values.iter().copied().filter(|it| !it.is_nan()).collect();
    numbers.sort_by(f64::total_cmp);

    check(Min::of(|it: &f64| *it), records, seed, |it| it.as_ref() == numbers.first());
    check(Max::of(|it: &f64| *it), records, seed, |it| it.as_ref() == numbers.last());
    let top = TopK::of(4, |it: &f64| *it);
    check(top, records, seed, |it| it.iter().eq(numbers.iter().rev().take(4)));

    let sum = exact_sum(&values);
    let error = sum_error(&values, sum);
    check(Sum::of(|it: &f64| *it), records, seed, |it| near(*it, sum, error));
    let mean = sum / values.len() as f64;
    let error = error / values.len() as f64 + mean.abs() * f64::EPSILON;
    check(Mean::of(|it: &f64| *it), records, seed, |it| near(*it, mean, error));

    // NaN comes last among the values of its moment.
    let mut in_time: Vec<_> =
        records.iter().map(|it| (it.at, it.value.is_nan(), it.value)).collect();
    in_time.sort_by(|one, other| one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal));
    let in_time: Vec<f64> = in_time.into_iter().map(|it| it.2).collect();
    check(Collect::of(|it: &f64| *it), records, seed, |it| alike(it, &in_time));
    let first = First::of(|it: &f64| *it);
    check(first, records, seed, |it| alike(it.as_slice(), &in_time[..in_time.len().min(1)]));
    let last = Last::of(|it: &f64| *it);
    let but_last = in_time.len().saturating_sub(1);
    check(last, records, seed, |it| alike(it.as_slice(), &in_time[but_last..]));

    check_quantiles(records, &numbers, seed);
}

fn check_quantiles(records: &[Event<f64>], numbers: &[f64], seed: u64) {
    for quantile in [0.0, 0.01, 0.5, 0.95, 1.0] {
        let model = model_quantile(numbers, quantile);
        for accuracy in [0.01, 0.1] {
            let sketch = Quantiles::of([quantile], |it: &f64| *it).accuracy(accuracy);
            let error = quantile_error(numbers, model, accuracy);
            // Not only near: the same to the bit for every order and tree.
            let once = fold_somehow(&sketch, records, &mut Chance(0))[0];
            check(sketch, records, seed, |[it]| {
                near(*it, model, error) && it.to_bits() == once.to_bits()
            });
        }
    }
}

/// Whether two floats are the same infinity, both no number, or at most `error` apart.
fn near(one: f64, other: f64, error: f64) -> bool {
    one == other || (one.is_nan() && other.is_nan()) || (one - other).abs() <= error
}

/// Whether the floats are the same, NaN and NaN included.
fn alike(some: &[f64], others: &[f64]) -> bool {
    some.len() == others.len()
        && some.iter().zip(others).all(|(one, other)| near(*one, *other, 0.0))
}

/// The sum to the last bit or so: kept as parts that do not overlap (Shewchuk).
fn exact_sum(values: &[f64]) -> f64 {
    if values.iter().any(|it| !it.is_finite()) {
        return values.iter().sum();
    }
    let mut parts: Vec<f64> = Vec::new();
    for value in values {
        let mut carried = *value;
        let mut kept = Vec::new();
        for part in parts {
            let (small, large) =
                if carried.abs() < part.abs() { (carried, part) } else { (part, carried) };
            carried = large + small;
            let rest = small - (carried - large);
            if rest != 0.0 {
                kept.push(rest);
            }
        }
        kept.push(carried);
        parts = kept;
    }
    parts.iter().sum()
}

/// The error that the documentation of sums admits, and one rounding for the model.
fn sum_error(values: &[f64], sum: f64) -> f64 {
    let rounding = f64::EPSILON / 2.0;
    let n = values.len() as f64;
    let size: f64 = values.iter().map(|it| it.abs()).sum();
    2.0 * rounding * sum.abs() + n * rounding * (n * rounding * size)
}

/// The number of rank `⌊q·(n - 1)⌋`.
fn model_quantile(sorted: &[f64], q: f64) -> f64 {
    match sorted.len() {
        0 => f64::NAN,
        n => sorted[(q * (n - 1) as f64) as usize],
    }
}

/// The error that the documentation of quantiles admits, and a little for rounding.
fn quantile_error(sorted: &[f64], model: f64, accuracy: f64) -> f64 {
    let same_sign = sorted.iter().filter(|it| it.is_finite() && it.signum() == model.signum());
    let largest = same_sign.fold(0.0, |largest: f64, it| largest.max(it.abs()));
    let lumped = largest * 1e-17;
    let relative = model.abs() * accuracy * (1.0 + 1e-9);
    match model.abs() {
        it if it <= f64::MIN_POSITIVE => f64::MIN_POSITIVE,
        it if it <= lumped => lumped,
        _ => relative,
    }
}

fn at<D>(micros: i64, value: D) -> Event<D> {
    Event::new(EventTime::from_micros(micros), value)
}

fn events<D: Debug>(value: impl Strategy<Value = D>) -> impl Strategy<Value = Vec<Event<D>>> {
    // Few moments, so that many records share one, and the two ends of time.
    let moment = prop_oneof![4 => 0..6i64, 1 => Just(i64::MIN), 1 => Just(i64::MAX)];
    prop::collection::vec((moment, value).prop_map(|(micros, value)| at(micros, value)), 0..60)
}

fn integer() -> impl Strategy<Value = i64> {
    prop_oneof![3 => -5..5i64, 2 => any::<i64>(), 1 => Just(i64::MAX), 1 => Just(i64::MIN)]
}

/// Floats whose finite sums stay finite.
fn float() -> impl Strategy<Value = f64> {
    let odd = vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 5e-324, -5e-324];
    prop_oneof![
        8 => -100.0..100.0f64,
        4 => (-3..3i32).prop_map(f64::from),
        2 => (-300..300i32, -1.0..1.0f64).prop_map(|(power, it)| it * 10f64.powi(power)),
        1 => prop::sample::select(odd),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn integers_agree_with_the_model(records in events(integer()), seed in any::<u64>()) {
        check_integers(&records, seed);
    }

    #[test]
    fn floats_agree_with_the_model(records in events(float()), seed in any::<u64>()) {
        check_floats(&records, seed);
    }

    #[test]
    fn finite_floats_agree_with_the_model(
        records in events(prop_oneof![-1e3..1e3f64, -1e-3..1e-3f64]),
        seed in any::<u64>(),
    ) {
        check_floats(&records, seed);
    }

    #[test]
    fn variance_agrees_with_two_passes(
        records in events(-100.0..100.0f64),
        centre in prop_oneof![Just(0.0), Just(1e3), Just(-1e9)],
        seed in any::<u64>(),
    ) {
        let records: Vec<_> = records.into_iter().map(|it| it.map(|it| it + centre)).collect();
        let values: Vec<f64> = records.iter().map(|it| it.value - centre).collect();
        let n = values.len() as f64;
        // About the centre, where nothing cancels out.
        let mean = exact_sum(&values) / n;
        let squares = exact_sum(&values.iter().map(|it| (it - mean).powi(2)).collect::<Vec<_>>());
        let condition = (1.0 + (mean + centre).powi(2) / (squares / n)).sqrt();
        let error = squares * 4.0 * n * f64::EPSILON * condition;
        let all = if n > 0.0 { squares / n } else { f64::NAN };
        check(Variance::population(|it: &f64| *it), &records, seed, |it| near(*it, all, error / n));
        let some = if n > 1.0 { squares / (n - 1.0) } else { f64::NAN };
        check(Variance::sample(|it: &f64| *it), &records, seed, |it| {
            near(*it, some, error / (n - 1.0))
        });
    }

    #[test]
    fn a_tuple_gives_what_its_parts_give(records in events(integer()), seed in any::<u64>()) {
        let values: Vec<i64> = records.iter().map(|it| it.value).collect();
        let count = values.len() as u64;
        let (min, max) = (values.iter().min().copied(), values.iter().max().copied());
        let min_of = || Min::of(|it: &i64| *it);
        check((Count, min_of()), &records, seed, |it| *it == (count, min));
        let eight = (
            Count,
            min_of(),
            Max::of(|it: &i64| *it),
            (Count, Count),
            min_of(),
            Count,
            Distinct::of(|_: &i64| ()),
            Max::of(|it: &i64| *it),
        );
        let any = u64::from(!values.is_empty());
        check(eight, &records, seed, |it| {
            *it == (count, min, max, (count, count), min, count, any, max)
        });
    }
}

#[test]
fn no_records_give_zero_none_or_nan() {
    check_integers(&[], 1);
    check_floats(&[], 1);
    check(Variance::population(|it: &f64| *it), &[], 1, |it| it.is_nan());
    check(Variance::sample(|it: &f64| *it), &[], 1, |it| it.is_nan());
}

#[test]
fn one_record_is_its_own_answer() {
    for value in [0, 1, -1, i64::MIN, i64::MAX] {
        check_integers(&[at(value, value)], 2);
    }
    for value in [0.0, -0.0, 1.5, -1e300, 5e-324, f64::MAX, f64::MIN, f64::INFINITY, f64::NAN] {
        check_floats(&[at(0, value)], 2);
    }
    check(Variance::population(|it: &f64| *it), &[at(0, 1.0)], 2, |it| *it == 0.0);
    check(Variance::sample(|it: &f64| *it), &[at(0, 1.0)], 2, |it| it.is_nan());
}

#[test]
fn a_sum_that_overflows_on_the_way_is_exact() {
    let records = [i64::MAX, i64::MAX, i64::MIN, i64::MIN, 5].map(|it| at(0, it));
    check(Sum::of(|it: &i64| *it), &records, 3, |it| *it == 3);
    let records = [i64::MAX, 1].map(|it| at(0, it));
    check(Sum::of(|it: &i64| *it), &records, 3, |it| *it == i64::MIN);
    check(Sum::of(|it: &i64| *it as f32), &records, 3, |it| *it == 9.223_372e18);
}

#[test]
fn an_infinity_or_nan_makes_variance_nan() {
    let spread = Variance::population(|it: &f64| *it);
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX] {
        check(spread, &[1.0, odd, 2.0, 3.0].map(|it| at(0, it)), 4, |it| it.is_nan());
    }
}

#[test]
fn numbers_of_every_size_have_quantiles() {
    // More than the buckets can tell apart: the smallest are lumped together, nothing else is.
    let numbers: Vec<f64> =
        (-308..=308).map(|it| 10f64.powi(it)).flat_map(|it| [it, -it]).collect();
    let mut sorted = numbers.clone();
    sorted.sort_by(f64::total_cmp);
    let records: Vec<_> = numbers.into_iter().map(|it| at(0, it)).collect();
    check_quantiles(&records, &sorted, 5);
    let ends = [f64::MIN, 1e-320, f64::MIN_POSITIVE, f64::MAX];
    check_quantiles(&ends.map(|it| at(0, it)), &ends, 5);
}

#[test]
fn every_rank_can_be_asked_for() {
    let sorted: Vec<f64> = (0..50).map(|it| 2f64.powi(it - 25)).collect();
    let records: Vec<_> = sorted.iter().map(|it| at(0, *it)).collect();
    for (rank, expected) in sorted.iter().enumerate() {
        let sketch = Quantiles::of([(rank as f64 + 0.3) / 49.3], |it: &f64| *it);
        check(sketch, &records, 6, |[it]| near(*it, *expected, expected * 0.0101));
    }
}

#[test]
fn the_sign_of_a_zero_does_not_tell_the_order_of_arrival() {
    check_quantiles(&[-0.0, 0.0, 1.0].map(|it| at(0, it)), &[-0.0, 0.0, 1.0], 7);
    check_quantiles(&[-1.0, -0.0, 0.0].map(|it| at(0, it)), &[-1.0, -0.0, 0.0], 7);
}

#[test]
fn many_distinct_values_are_estimated_alike_in_every_order() {
    for (count, precision) in [(2_000u64, 10), (30_000, 10), (30_000, 14), (1_000, 4)] {
        let records: Vec<_> = (0..count).chain(0..count / 2).map(|it| at(0, it)).collect();
        let distinct = ApproxDistinct::of(|it: &u64| *it).precision(precision);
        let once = fold_somehow(&distinct, &records, &mut Chance(0));
        let error = 3.0 * 1.04 / f64::from(1u32 << precision).sqrt();
        assert!(near(once as f64, count as f64, error * count as f64), "{once} for {count}");
        let again = fold_somehow(&distinct, &records, &mut Chance(6));
        assert_eq!(once, again);
    }
}

#[test]
#[should_panic(expected = "a quantile is from 0 to 1, not 95")]
fn a_percentage_is_no_quantile() {
    let _ = Quantiles::of([95.0], |it: &f64| *it);
}
