//! Masking (RFC 6455, section 5.3): every byte from a client is xored with a byte of its frame's key.

/// Takes the mask off `payload`, whose first byte meets the key's first. Done twice, it is undone.
pub(super) fn unmask(payload: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The masked "Hello" of RFC 6455, section 5.7.
    #[test]
    fn the_example_of_the_rfc() {
        let mut payload = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
        unmask(&mut payload, [0x37, 0xfa, 0x21, 0x3d]);
        assert_eq!(&payload, b"Hello");
    }

    proptest! {
        #[test]
        fn words_and_bytes_agree(bytes: Vec<u8>, key: [u8; 4]) {
            let naive: Vec<u8> = bytes.iter().enumerate().map(|(i, b)| b ^ key[i % 4]).collect();
            let mut fast = bytes;
            unmask(&mut fast, key);
            prop_assert_eq!(fast, naive);
        }
    }
}
