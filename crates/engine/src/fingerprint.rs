//! Fingerprints: the same finding has the same one after the text around it has moved.

/// FNV-1a: the standard library's hashers promise nothing across versions.
pub(crate) fn fingerprint(parts: &[&str], ordinal: usize) -> String {
    let ordinal = ordinal.to_string();
    let parts = parts.iter().copied().chain([ordinal.as_str()]);
    let bytes = parts.flat_map(|part| part.bytes().chain([0xff]));
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::fingerprint;

    #[test]
    fn parts_do_not_run_into_each_other_and_the_value_stays() {
        assert_ne!(fingerprint(&["ab", "c"], 0), fingerprint(&["a", "bc"], 0));
        assert_ne!(fingerprint(&["a"], 0), fingerprint(&["a"], 1));
        assert_eq!(fingerprint(&["a"], 0), "d3bd7181937ac10c");
    }
}
