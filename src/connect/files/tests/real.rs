//! Files as they are found outside.

use super::*;

/// The path of a shared data file, unless it is not there.
fn shared(name: &str) -> Option<String> {
    let path = format!("{}/../shared/data/events/{name}", env!("CARGO_MANIFEST_DIR"));
    let there = Path::new(&path).exists();
    if !there {
        println!("skipped: {name} is not here");
    }
    there.then_some(path)
}

#[test]
fn a_year_of_new_york_departures_is_read() {
    #[derive(Deserialize)]
    struct Flight {
        dep_delay: Option<i32>,
        origin: String,
    }
    let Some(path) = shared("nycflights13/flights.csv.gz") else { return };
    let (flights, _) = read(&csv::<Flight>(&path).absent("NA"), 2).unwrap();
    assert_eq!(flights.len(), 336_776);
    assert_eq!(flights.iter().filter(|flight| flight.dep_delay.is_none()).count(), 8_255);
    assert_eq!(flights.iter().filter(|flight| flight.origin == "JFK").count(), 111_279);
}

#[test]
fn three_million_flights_are_read() {
    #[derive(Deserialize)]
    struct Flight {
        distance: u32,
    }
    let Some(path) = shared("us-flights-3m.csv.zst") else { return };
    let (flights, _) = read(&csv::<Flight>(&path), 2).unwrap();
    assert_eq!(flights.len(), 3_000_000);
    assert!(flights.iter().all(|flight| flight.distance < 10_000));
}

#[test]
fn an_hour_of_events_is_read() {
    let Some(path) = shared("gharchive-2015-01-01-0.json.gz") else { return };
    let (events, _) = read(&jsonl::<serde_json::Value>(&path), 2).unwrap();
    assert_eq!(events.len(), 7_702);
}
