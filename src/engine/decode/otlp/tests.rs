use proptest::prelude::*;

use super::*;

const PROTOBUF: &[u8] = include_bytes!("../../../../tests/fixtures/otlp/spans.binpb");
const JSON: &[u8] = include_bytes!("../../../../tests/fixtures/otlp/spans.json");
const NAMES: &[u8] = include_bytes!("../../../../tests/fixtures/otlp/spans-names.json");

fn expected() -> Vec<Span<'static>> {
    let services = [Some("checkout"), Some("payments"), None];
    let kinds = || (0..).zip([2, 3, 5, 1]);
    let spans = services.into_iter().flat_map(|service| kinds().map(move |(number, kind)| (service, number, kind)));
    spans
        .map(|(service, number, kind)| {
            let begin = 1_795_363_200_000_000_000 + number * 1_000_000_000;
            let end = begin + 1_500_000 * (number + 1);
            let service = service.map(Cow::Borrowed);
            Span { service, kind, begin, end, failed: number == 2, attributes: Vec::new() }
        })
        .collect()
}

#[test]
fn spans_written_by_opentelemetry_itself_are_read() {
    assert_eq!(from_protobuf(PROTOBUF, &[]).unwrap(), expected());
    assert_eq!(from_json(JSON, &[]).unwrap(), expected());
    assert_eq!(from_json(NAMES, &[]).unwrap(), expected());
}

#[test]
fn a_record_that_is_cut_is_no_record() {
    let whole: Vec<usize> = (0..PROTOBUF.len()).filter(|end| from_protobuf(&PROTOBUF[..*end], &[]).is_some()).collect();
    // Nothing, and what ends between two resources.
    assert_eq!(whole.len(), 3, "{whole:?}");
    assert!((0..JSON.len()).all(|end| from_json(&JSON[..end], &[]).is_err()));
    assert!(
        from_json(b"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"endTimeUnixNano\":\"soon\"}]}]}]}", &[])
            .is_err()
    );
}

proptest! {
    #[test]
    fn no_bytes_end_it(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        from_protobuf(&bytes, &[]);
        prop_assert!(from_json(&bytes, &[]).is_err());
    }

    #[test]
    fn damaged_records_give_no_more_spans_than_their_bytes_could_hold(
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        in_json in any::<bool>(),
    ) {
        let mut bytes = if in_json { JSON } else { PROTOBUF }.to_vec();
        for (at, byte) in damages {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let spans = if in_json { from_json(&bytes, &[]).ok() } else { from_protobuf(&bytes, &[]) };
        prop_assert!(spans.is_none_or(|spans| spans.len() <= bytes.len() / 2));
    }
}
