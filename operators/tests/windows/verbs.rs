//! What is done with the records of a window: all verbs, and evictors before them.

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn evictors_drop_records_before_the_function_sees_them(
        run in disordered(DELAY, true), size in 1..20i64, kept in 1..4usize, recent in 1..9i64,
    ) {
        let mut keys = BTreeMap::<(u8, i64, i64), Vec<Held>>::new();
        for (at, key, value) in all(&run) {
            let (first, last) = tumbling(at, size, 0);
            keys.entry((key, first, last)).or_default().push((at, value));
        }
        let mut newest = Vec::new();
        for ((key, first, last), records) in &keys {
            let records = &records[records.len().saturating_sub(kept)..];
            newest.push(Given::Pane((*key, *first, *last, records.to_vec())));
            let records = &keys[&(*key, *first, *last)];
            let latest = records.iter().map(|it| it.0).max().expect("a window has a record");
            let records = records.iter().copied().filter(|it| it.0 > latest - recent).collect();
            // Marked apart by a key of its own.
            newest.push(Given::Pane((*key + 100, *first, *last, records)));
        }
        newest.sort();
        let given = run.go(move |stream, tap: &Tap<Given>| {
            let windows = || Tumbling::new(lasting(size));
            let keyed = keyed(stream);
            let one = keyed.clone().window(windows()).evict(evict::count(kept));
            watch(one.process(as_they_came), tap);
            let other = keyed.window(windows()).name("recent").evict(evict::time(lasting(recent)));
            let panes = other.process(as_they_came);
            watch(panes.map(|it| Pane { key: it.key + 100, ..it }), tap);
        });
        prop_assert_eq!(records(given), newest);
    }

    #[test]
    fn every_verb_sees_the_same_records(run in disordered(DELAY, false), size in 1..20i64) {
        let model: Vec<_> = grouped(&run, |at| vec![tumbling(at, size, 0)])
            .into_iter()
            .map(|given| {
                let Given::Pane((key, first, last, records)) = given else { unreachable!() };
                let values: Vec<_> = records.iter().map(|it| it.1).collect();
                let sum: i64 = values.iter().sum();
                (key, first, last, values.len() as u64, sum, values.into_iter().max())
            })
            .collect();
        let model: Vec<_> = (0..3).flat_map(|verb| model.iter().map(move |it| (verb, *it))).collect();
        let given = run.go(move |stream, tap: &Tap<(u8, (u8, i64, i64, u64, i64, Option<i64>))>| {
            let all = || (Number, Sum::of(|it: &Held| it.1), Max::of(|it: &Held| it.1));
            let keyed = keyed(stream);
            let windows = |name: &str| keyed.clone().window(Tumbling::new(lasting(size))).name(name);
            let flat = |it: Pane<u8, (u64, i64, Option<i64>)>| {
                let (count, sum, max) = it.value;
                (it.key, it.span.start().micros(), it.span.last().micros(), count, sum, max)
            };
            tap.watch(windows("a").aggregate(all()).values().map(move |it| (0, flat(it))));
            let then = windows("b").aggregate_then(all(), |_, _, it| Some(it));
            tap.watch(then.values().map(move |it| (1, flat(it))));
            let counted = keyed.clone().map_values(|it| (1u64, it.1, it.1));
            let reduced = counted.window(Tumbling::new(lasting(size))).reduce(|all, it| {
                *all = (all.0 + it.0, all.1 + it.1, all.2.max(it.2));
            });
            let reduced = reduced.map(|it| {
                let (count, sum, max) = it.value;
                Pane { key: it.key, span: it.span, value: (count, sum, Some(max)) }
            });
            tap.watch(reduced.values().map(move |it| (2, flat(it))));
        });
        prop_assert_eq!(records(given), model);
    }
}
