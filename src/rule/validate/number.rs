//! Numbers that carry a check: cards, bank accounts, social security and telephone numbers.

/// The decimal digits of `candidate`, or nothing when it holds anything but digits and separators.
fn digits(candidate: &[u8]) -> Option<Vec<u8>> {
    let mut digits = Vec::with_capacity(candidate.len());
    for &byte in candidate {
        match byte {
            b'0'..=b'9' => digits.push(byte - b'0'),
            b' ' | b'-' | b'.' => {}
            _ => return None,
        }
    }
    Some(digits)
}

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
const ISSUERS: [(u32, u32, std::ops::RangeInclusive<usize>); 23] = [
    (1800, 1800, 15..=15), // JCB, 15-digit numbers of its old Japanese ranges
    (2131, 2131, 15..=15), // JCB, likewise
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
const IBAN_LENGTHS: [(&[u8; 2], usize); 89] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
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

/// The SSA's rules since 2011 (POMS RM 10201.030): area not 000, 666 or 900 and up, group not 00, serial not
/// 0000; and not one of the two numbers that became void by being printed in advertisements.
pub(super) fn us_ssn(candidate: &[u8]) -> bool {
    let Some(digits) = digits(candidate).filter(|digits| digits.len() == 9) else { return false };
    let number = |range: std::ops::Range<usize>| digits[range].iter().fold(0, |n, &d| n * 10 + u32::from(d));
    let (area, group, serial) = (number(0..3), number(3..5), number(5..9));
    area != 0
        && area != 666
        && area < 900
        && group != 0
        && serial != 0
        && !matches!((area, group, serial), (78, 5, 1120) | (219, 9, 9999))
}

/// Country codes of one and two digits, from the ITU-T list of assigned country codes (Recommendation E.164,
/// annex to Operational Bulletin 1114).
const SHORT_COUNTRY_CODES: [&[u8]; 46] = [
    b"1", b"7", b"20", b"27", b"30", b"31", b"32", b"33", b"34", b"36", b"39", b"40", b"41", b"43", b"44", b"45",
    b"46", b"47", b"48", b"49", b"51", b"52", b"53", b"54", b"55", b"56", b"57", b"58", b"60", b"61", b"62", b"63",
    b"64", b"65", b"66", b"81", b"82", b"84", b"86", b"90", b"91", b"92", b"93", b"94", b"95", b"98",
];

/// Every other assigned country code has three digits: the first two, with what the third may be. Same list.
const LONG_COUNTRY_CODES: [(&[u8; 2], &[u8]); 23] = [
    (b"21", b"12368"),
    (b"22", b"0123456789"),
    (b"23", b"0123456789"),
    (b"24", b"0123456789"),
    (b"25", b"012345678"),
    (b"26", b"0123456789"),
    (b"29", b"01789"),
    (b"35", b"0123456789"),
    (b"37", b"0123456789"),
    (b"38", b"01235679"),
    (b"42", b"013"),
    (b"50", b"0123456789"),
    (b"59", b"0123456789"),
    (b"67", b"023456789"),
    (b"68", b"012356789"),
    (b"69", b"012"),
    (b"80", b"08"),
    (b"85", b"02356"),
    (b"87", b"08"),
    (b"88", b"012368"),
    (b"96", b"012345678"),
    (b"97", b"012345679"),
    (b"99", b"234568"),
];

/// ITU-T E.164: `+` or the prefix `00`, an assigned country code, and 7 to 15 digits in all; a national `(0)`
/// does not count. North American numbers (`+1`) have exactly ten more digits, and no area begins with 0 or 1.
pub(super) fn phone_e164(candidate: &[u8]) -> bool {
    let Some(number) = candidate.strip_prefix(b"+").or_else(|| candidate.strip_prefix(b"00")) else { return false };
    let trunk = number.windows(3).position(|window| window == b"(0)").map_or(0..0, |at| at..at + 3);
    let digits: Vec<u8> =
        number[..trunk.start].iter().chain(&number[trunk.end..]).copied().filter(u8::is_ascii_digit).collect();
    if !(7..=15).contains(&digits.len()) {
        return false;
    }
    if let Some(national) = digits.strip_prefix(b"1") {
        return national.len() == 10 && national[0] >= b'2';
    }
    SHORT_COUNTRY_CODES.iter().any(|code| digits.starts_with(code))
        || LONG_COUNTRY_CODES.iter().any(|(start, ends)| digits.starts_with(*start) && ends.contains(&digits[2]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(check: fn(&[u8]) -> bool, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(check(text.as_bytes()), "{text} is good");
        }
        for text in bad {
            assert!(!check(text.as_bytes()), "{text} is bad");
        }
    }

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

    #[test]
    fn the_ssa_never_gave_out_some_numbers() {
        split(
            us_ssn,
            &["536-22-1234", "899 12 3456", "001010001"],
            &["000-12-3456", "666-12-3456", "900-12-3456", "123-00-4567", "123-45-0000", "078-05-1120", "123-45-678"],
        );
    }

    #[test]
    fn a_phone_number_has_a_country() {
        split(
            phone_e164,
            &[
                "+1 415 555 0132",
                "+1-984-555-0190",
                "+46 (0)8 928 571 38",
                "+447700900123",
                "001-518-555-0154",
                "+358 40 1234567",
            ],
            &[
                "+1 115 555 0132",
                "+1 415 555 013",
                "+210 1234567",
                "+999",
                "+8312345678",
                "415 555 0132",
                "+1234567890123456",
                "+",
            ],
        );
    }
}
