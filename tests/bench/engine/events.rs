//! Events as a service mesh would write them.

/// Services that the events are of.
const SERVICES: u64 = 2_000;

/// Numbers that look like chance and are the same every time.
pub const fn scatter(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Event `number` of 10,000 a second, out of order by up to 3 s; the wanted fields among others.
pub fn record(number: u64) -> String {
    let chance = scatter(number + 1);
    let time = 1_795_363_200_000 + number / 10 - chance % 3_000;
    let service = scatter(chance) % SERVICES;
    let status = if chance.is_multiple_of(50) { 503 } else { 200 };
    let latency = 500 + scatter(service) % 20_000 + chance % 40_000;
    format!(
        r#"{{"id":"{chance:016x}","ts":{time},"kind":"server","svc":"intuit.payments.service-{service:04}","host":"ip-10-1-{}-{}.us-west-2.compute.internal","method":"POST","path":"/v1/companies/{}/invoices","status":{status},"bytes":{},"lat_us":{latency},"retry":false,"trace":"{:032x}","zone":"usw2-az{}"}}"#,
        chance % 250,
        chance % 199,
        chance % 1_000_000,
        chance % 9_999,
        chance,
        chance % 3
    )
}
