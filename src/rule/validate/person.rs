//! Numbers of people: social security and telephone numbers.

use super::digits;

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
#[rustfmt::skip]
const SHORT_COUNTRY_CODES: [&[u8]; 46] = [
    b"1", b"7", b"20", b"27", b"30", b"31", b"32", b"33", b"34", b"36", b"39", b"40", b"41", b"43", b"44", b"45",
    b"46", b"47", b"48", b"49", b"51", b"52", b"53", b"54", b"55", b"56", b"57", b"58", b"60", b"61", b"62", b"63",
    b"64", b"65", b"66", b"81", b"82", b"84", b"86", b"90", b"91", b"92", b"93", b"94", b"95", b"98",
];

/// Every other assigned country code has three digits: the first two, with what the third may be. Same list.
#[rustfmt::skip]
const LONG_COUNTRY_CODES: [(&[u8; 2], &[u8]); 23] = [
    (b"21", b"12368"), (b"22", b"0123456789"), (b"23", b"0123456789"), (b"24", b"0123456789"), (b"25", b"012345678"),
    (b"26", b"0123456789"), (b"29", b"01789"), (b"35", b"0123456789"), (b"37", b"0123456789"), (b"38", b"01235679"),
    (b"42", b"013"), (b"50", b"0123456789"), (b"59", b"0123456789"), (b"67", b"023456789"), (b"68", b"012356789"),
    (b"69", b"012"), (b"80", b"08"), (b"85", b"02356"), (b"87", b"08"), (b"88", b"012368"), (b"96", b"012345678"),
    (b"97", b"012345679"), (b"99", b"234568"),
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
    use super::super::split;
    use super::*;

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
