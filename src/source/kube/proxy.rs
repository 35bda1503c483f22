//! Whether a proxy from the environment counts for a cluster, as kubectl decides it.
//!
//! kube takes `HTTPS_PROXY` for every cluster and compares `NO_PROXY` with the proxy's own address. kubectl compares it
//! with the cluster's, and never sends this machine's own addresses, nor plain HTTP, through that proxy.

use std::net::IpAddr;

use http::Uri;

/// Whether a cluster is reached without the proxy of `HTTPS_PROXY`, given the list in `NO_PROXY`.
#[must_use]
pub fn goes_direct(cluster: &Uri, no_proxy: &str) -> bool {
    let Some(host) = cluster.host() else { return true };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    if cluster.scheme_str() != Some("https") || host == "localhost" || address.is_some_and(|ip| ip.is_loopback()) {
        return true;
    }
    let port = cluster.port_u16().unwrap_or(443);
    no_proxy.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        let entry = entry.to_ascii_lowercase();
        match address {
            Some(address) => covers_address(&entry, address, port),
            None => covers_name(&entry, &host, port),
        }
    })
}

fn covers_name(entry: &str, host: &str, port: u16) -> bool {
    let (name, only) = entry.rsplit_once(':').map_or((entry, None), |(name, port)| (name, port.parse::<u16>().ok()));
    let below = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    let covered = match name.strip_prefix("*.").or_else(|| name.strip_prefix('.')) {
        Some(domain) => below(domain),
        None => name == "*" || host == name || below(name),
    };
    covered && only.is_none_or(|only| only == port)
}

fn covers_address(entry: &str, address: IpAddr, port: u16) -> bool {
    if let Some((network, bits)) = entry.split_once('/') {
        return matches!((network.parse(), bits.parse()), (Ok(network), Ok(bits)) if contains(network, bits, address));
    }
    entry == "*" || entry.parse() == Ok(address) || entry == format!("{address}:{port}")
}

fn contains(network: IpAddr, bits: u32, address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            bits <= 32 && (network.to_bits() ^ address.to_bits()).checked_shr(32 - bits).unwrap_or(0) == 0
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            bits <= 128 && (network.to_bits() ^ address.to_bits()).checked_shr(128 - bits).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_kubectl_decides() {
        for (cluster, no_proxy, direct) in [
            ("https://api.example.com:6443", "", false),
            ("https://api.example.com:6443", "example.com", true),
            ("https://api.example.com:6443", ".example.com,", true),
            ("https://api.example.com:6443", "*.example.com", true),
            ("https://api.example.com:6443", "ample.com", false),
            ("https://api.example.com:6443", "api.example.com:443", false),
            ("https://api.example.com:6443", "api.example.com:6443", true),
            ("https://api.example.com", "*", true),
            ("https://10.1.2.3", "10.0.0.0/8", true),
            ("https://10.1.2.3", "11.0.0.0/8, 10.1.2.3", true),
            ("https://10.1.2.3", "0.0.0.0/0", true),
            ("https://10.1.2.3", "11.0.0.0/8", false),
            ("https://[fd00::1]:6443", "fd00::/16", true),
            ("https://127.0.0.1:6443", "", true),
            ("https://localhost:6443", "", true),
            ("http://api.example.com", "", true),
        ] {
            assert_eq!(goes_direct(&cluster.parse().unwrap(), no_proxy), direct, "{cluster} with {no_proxy:?}");
        }
    }
}
