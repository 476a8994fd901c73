//! Addresses of cryptocurrencies, by their checksums.

use sha2::{Digest, Sha256};
use sha3::Keccak256;

const BASE58: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const BECH32: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// Bitcoin's Base58Check: the last four of the bytes are the beginning of the SHA-256 of the SHA-256 of the others.
pub(super) fn base58check(candidate: &[u8]) -> bool {
    let Some(bytes) = base58(candidate).filter(|bytes| bytes.len() > 4) else { return false };
    let (payload, checksum) = bytes.split_at(bytes.len() - 4);
    Sha256::digest(Sha256::digest(payload)).starts_with(checksum)
}

/// The bytes of a number over base 58; each leading `1` is a zero byte.
fn base58(text: &[u8]) -> Option<Vec<u8>> {
    // Longer ones are no addresses nor keys, and the conversion is quadratic.
    const LONGEST: usize = 128;
    if text.len() > LONGEST {
        return None;
    }
    let mut bytes: Vec<u8> = Vec::new();
    for byte in text {
        let mut carry = BASE58.iter().position(|digit| digit == byte)? as u32;
        for place in bytes.iter_mut().rev() {
            carry += u32::from(*place) * 58;
            *place = (carry % 256) as u8;
            carry /= 256;
        }
        while carry > 0 {
            bytes.insert(0, (carry % 256) as u8);
            carry /= 256;
        }
    }
    let zeros = text.iter().take_while(|byte| **byte == b'1').count();
    Some([vec![0; zeros], bytes].concat())
}

/// Bitcoin's BIP 173 and BIP 350: a human-readable part, `1`, and data of which the last six characters are a checksum.
pub(super) fn bech32(candidate: &[u8]) -> bool {
    let is_mixed = candidate.iter().any(u8::is_ascii_lowercase) && candidate.iter().any(u8::is_ascii_uppercase);
    let text = candidate.to_ascii_lowercase();
    let Some(separator) = text.iter().rposition(|byte| *byte == b'1') else { return false };
    let (prefix, data) = (&text[..separator], &text[separator + 1..]);
    let is_prefix = !prefix.is_empty() && prefix.iter().all(|byte| (33..=126).contains(byte));
    if is_mixed || !is_prefix || data.len() < 6 || text.len() > 90 {
        return false;
    }
    let Some(data) = data.iter().map(|byte| BECH32.iter().position(|digit| digit == byte)).collect::<Option<Vec<_>>>()
    else {
        return false;
    };
    let high = prefix.iter().map(|byte| u32::from(byte >> 5));
    let low = prefix.iter().map(|byte| u32::from(byte & 31));
    let values = high.chain([0]).chain(low).chain(data.into_iter().map(|value| value as u32));
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let checksum = values.fold(1u32, |checksum, value| {
        let top = checksum >> 25;
        let next = (checksum & 0x1ff_ffff) << 5 ^ value;
        (0..5).filter(|bit| top >> bit & 1 == 1).fold(next, |next, bit| next ^ GENERATOR[bit])
    });
    // The constants of Bech32 and of Bech32m.
    matches!(checksum, 1 | 0x2bc8_30a3)
}

/// Ethereum's ERC-55: the letters among the forty hex digits are capital where the digit at the same place of the
/// Keccak-256 of the address in small letters is 8 or more. An address in one case carries no checksum.
pub(super) fn eth_checksum(candidate: &[u8]) -> bool {
    let Some(address) = candidate.strip_prefix(b"0x").filter(|address| address.len() == 40) else { return false };
    if !address.iter().all(u8::is_ascii_hexdigit) {
        return false;
    }
    let hash = Keccak256::digest(address.to_ascii_lowercase());
    let digits = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    address.iter().zip(digits).all(|(letter, digit)| match letter {
        b'0'..=b'9' => true,
        _ => letter.is_ascii_uppercase() == (digit >= 8),
    })
}

#[cfg(test)]
mod tests {
    use super::super::split;
    use super::*;

    /// The first block's address, and the examples of the two proposals.
    #[test]
    fn addresses_have_checksums() {
        // The first two are ERC-55's own.
        split(
            eth_checksum,
            &["0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"],
            &[
                "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
                "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
                "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
                "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe",
                "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeg",
            ],
        );
        split(
            base58check,
            &["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"],
            &["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "1A1zP1eP5QGefi2DMPTfTL5SLmv7Divf0a", "", "1111"],
        );
        split(
            bech32,
            &[
                "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
                "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
                "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
            ],
            &[
                "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
                "bc1qW508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
                "bc1",
                "1qqqqqq",
            ],
        );
    }
}
