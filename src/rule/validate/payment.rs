//! Numbers that money moves by: cards and bank accounts.

use super::digits;

/// ISO/IEC 7812-1 annex B: from the right every second digit is doubled, digits are summed, and the sum ends in 0.
pub(super) fn luhn(candidate: &[u8]) -> bool {
    let Some(digits) = digits(candidate).filter(|digits| digits.len() > 1) else { return false };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| match (place % 2, digit) {
            (0, _) => u32::from(digit),
            (_, 0..=4) => u32::from(digit) * 2,
            _ => u32::from(digit) * 2 - 9,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Issuer ranges (first and last, of equal width) with the lengths they come in. ISO/IEC 7812-1 assigns the
/// ranges; the lengths are those the networks publish for their acquirers. Narrow ranges stand among wide ones:
/// a number counts when any row fits it.
#[rustfmt::skip]
const ISSUERS: [(u32, u32, std::ops::RangeInclusive<usize>); 23] = [
    (1, 1, 15..=15),       // UATP; JCB 1800
    (2131, 2131, 15..=15), // JCB, its old Japanese range
    (2200, 2204, 16..=19), // Mir
    (2221, 2720, 16..=16), // Mastercard, ranges opened in 2017
    (300, 305, 14..=19),   // Diners Club
    (3095, 3095, 14..=19), // Diners Club
    (34, 34, 15..=15),     // American Express
    (35, 35, 16..=19),     // JCB: 3528 to 3589 are assigned, generators of test data use them all
    (36, 36, 14..=19),     // Diners Club
    (37, 37, 15..=15),     // American Express
    (38, 39, 14..=19),     // Diners Club
    (4, 4, 13..=13),       // Visa
    (4, 4, 16..=16),       // Visa
    (4, 4, 19..=19),       // Visa
    (50, 50, 12..=19),     // Maestro
    (51, 55, 16..=16),     // Mastercard
    (56, 58, 12..=19),     // Maestro
    (6011, 6011, 16..=19), // Discover
    (60, 61, 12..=19),     // Maestro, RuPay
    (62, 62, 14..=19),     // UnionPay
    (63, 69, 12..=19),     // Maestro; Discover 644 to 659
    (81, 82, 16..=19),     // UnionPay, RuPay
    (9792, 9792, 16..=16), // Troy
];

/// Whether a card network uses this issuer range with this many digits.
pub(super) fn card_iin(candidate: &[u8]) -> bool {
    let Some(digits) = digits(candidate).filter(|digits| (12..=19).contains(&digits.len())) else { return false };
    let prefix = |width: usize| digits[..width].iter().fold(0, |number, &digit| number * 10 + u32::from(digit));
    ISSUERS.iter().any(|(first, last, lengths)| {
        let width = first.ilog10() as usize + 1;
        lengths.contains(&digits.len()) && (*first..=*last).contains(&prefix(width))
    })
}

/// Length by country: the IBAN registry that SWIFT keeps for ISO 13616-2, release 99.
#[rustfmt::skip]
const IBAN_LENGTHS: [(&[u8; 2], usize); 89] = [
    (b"AD", 24), (b"AE", 23), (b"AL", 28), (b"AT", 20), (b"AZ", 28), (b"BA", 20), (b"BE", 16), (b"BG", 22),
    (b"BH", 22), (b"BI", 27), (b"BR", 29), (b"BY", 28), (b"CH", 21), (b"CR", 22), (b"CY", 28), (b"CZ", 24),
    (b"DE", 22), (b"DJ", 27), (b"DK", 18), (b"DO", 28), (b"EE", 20), (b"EG", 29), (b"ES", 24), (b"FI", 18),
    (b"FK", 18), (b"FO", 18), (b"FR", 27), (b"GB", 22), (b"GE", 22), (b"GI", 23), (b"GL", 18), (b"GR", 27),
    (b"GT", 28), (b"HN", 28), (b"HR", 21), (b"HU", 28), (b"IE", 22), (b"IL", 23), (b"IQ", 23), (b"IS", 26),
    (b"IT", 27), (b"JO", 30), (b"KW", 30), (b"KZ", 20), (b"LB", 28), (b"LC", 32), (b"LI", 21), (b"LT", 20),
    (b"LU", 20), (b"LV", 21), (b"LY", 25), (b"MC", 27), (b"MD", 24), (b"ME", 22), (b"MK", 19), (b"MN", 20),
    (b"MR", 27), (b"MT", 31), (b"MU", 30), (b"NI", 28), (b"NL", 18), (b"NO", 15), (b"OM", 23), (b"PK", 24),
    (b"PL", 28), (b"PS", 29), (b"PT", 25), (b"QA", 29), (b"RO", 24), (b"RS", 22), (b"RU", 33), (b"SA", 24),
    (b"SC", 31), (b"SD", 18), (b"SE", 24), (b"SI", 19), (b"SK", 24), (b"SM", 27), (b"SO", 23), (b"ST", 25),
    (b"SV", 28), (b"TL", 23), (b"TN", 24), (b"TR", 26), (b"UA", 29), (b"VA", 22), (b"VG", 24), (b"XK", 20),
    (b"YE", 30),
];

/// ISO 13616-1: of its country's length, and 1 modulo 97 with the first four characters moved to the end and
/// letters read as 10 to 35.
pub(super) fn iban(candidate: &[u8]) -> bool {
    let iban: Vec<u8> =
        candidate.iter().filter(|byte| !matches!(byte, b' ' | b'-')).map(u8::to_ascii_uppercase).collect();
    let known = IBAN_LENGTHS.iter().any(|(country, length)| iban.starts_with(*country) && iban.len() == *length);
    known
        && iban.iter().all(u8::is_ascii_alphanumeric)
        && iban.iter().cycle().skip(4).take(iban.len()).fold(0u32, |rest, byte| match byte {
            b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
            _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
        }) == 1
}

#[cfg(test)]
mod tests {
    use super::super::split;
    use super::*;

    #[test]
    fn luhn_checks_the_last_digit() {
        split(
            luhn,
            &["4111111111111111", "4111-1111-1111-1111", "378282246310005", "18"],
            &["4111111111111112", "0", "", "41111111 x", "٤١١١"],
        );
    }

    /// The networks' published test numbers, one of each length that a network uses.
    #[test]
    fn issuers_and_lengths_go_together() {
        split(
            card_iin,
            &[
                "4111111111111111",
                "4222222222222",
                "5555555555554444",
                "2223003122003222",
                "378282246310005",
                "6011111111111117",
                "30569309025904",
                "3530111333300000",
                "6200000000000005",
                "501800000009",
                "180000000000000",
                "213100000000000",
                "4000000000000000006",
            ],
            &["1234567890123456", "411111111111111", "37828224631000", "0000000000000000", "7111111111111111", "4", ""],
        );
    }

    #[test]
    fn an_iban_has_its_countrys_length_and_checks() {
        split(
            iban,
            &[
                "DE89370400440532013000",
                "DE89 3704 0044 0532 0130 00",
                "gb29 nwbk 6016 1331 9268 19",
                "NO9386011117947",
            ],
            &[
                "DE88370400440532013000",
                "DE8937040044053201300",
                "ZZ89370400440532013000",
                "",
                "DE",
                "GB29NWBK6016133192681é",
            ],
        );
    }
}
