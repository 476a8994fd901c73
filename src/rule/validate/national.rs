//! Numbers that states and their banks give to people and firms, by their check digits.

use super::digits;

/// Whether the digits, each times its weight, add up to a multiple of `modulus`.
fn is_weighted(digits: &[u8], weights: &[u32], modulus: u32) -> bool {
    digits.len() == weights.len() && weighted_sum(digits, weights).is_multiple_of(modulus)
}

fn weighted_sum(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(&digit, weight)| u32::from(digit) * weight).sum()
}

/// The digits, if there are this many and not all are the same: registers give no such number out.
fn number(candidate: &[u8], len: usize) -> Option<Vec<u8>> {
    digits(candidate).filter(|digits| digits.len() == len && digits.iter().any(|digit| *digit != digits[0]))
}

/// The letters and digits without separators, in capitals.
fn letters(candidate: &[u8]) -> Vec<u8> {
    candidate.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_uppercase).collect()
}

/// American Bankers Association, Routing Number Policy: nine digits, weights 3, 7, 1, modulo 10; the first two digits are a
/// Federal Reserve district's (01 to 12), or 21 to 32, 61 to 72 or 80.
pub(super) fn aba(candidate: &[u8]) -> bool {
    let Some(digits) = number(candidate, 9) else { return false };
    let district = digits[0] * 10 + digits[1];
    let is_known = matches!(district, 1..=12 | 21..=32 | 61..=72 | 80);
    is_known && is_weighted(&digits, &[3, 7, 1, 3, 7, 1, 3, 7, 1], 10)
}

/// Internal Revenue Service, Publication 4757: nine digits that begin with 9, the fourth and fifth 50 to 65, 70 to 88, 90 to
/// 92 or 94 to 99.
pub(super) fn us_itin(candidate: &[u8]) -> bool {
    let Some(digits) = number(candidate, 9) else { return false };
    let group = digits[3] * 10 + digits[4];
    digits[0] == 9 && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

/// Centers for Medicare & Medicaid Services, 45 CFR 162.406: ten digits that begin with 1 or 2, by Luhn's formula behind
/// 80840.
pub(super) fn us_npi(candidate: &[u8]) -> bool {
    let Some(digits) = number(candidate, 10).filter(|digits| matches!(digits[0], 1 | 2)) else { return false };
    let whole: Vec<u8> = [8, 0, 8, 4, 0].iter().chain(&digits).map(|digit| digit + b'0').collect();
    super::payment::luhn(&whole)
}

/// NHS Data Dictionary, NHS NUMBER: ten digits, the last one 11 less the weighted sum of the others modulo 11.
pub(super) fn mod11_nhs(candidate: &[u8]) -> bool {
    number(candidate, 10).is_some_and(|digits| is_weighted(&digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1], 11))
}

/// Employment and Social Development Canada, Social Insurance Number: nine digits by Luhn's formula; none begins with 8, and
/// 0 stands for no person's.
pub(super) fn ca_sin(candidate: &[u8]) -> bool {
    number(candidate, 9).is_some_and(|digits| !matches!(digits[0], 0 | 8)) && super::payment::luhn(candidate)
}

/// Australian Taxation Office, Tax file number: nine digits, weights 1, 4, 3, 7, 5, 8, 6, 9, 10, modulo 11; the older
/// ones have eight, with weights 10, 7, 8, 4, 6, 3, 5, 1.
pub(super) fn au_tfn(candidate: &[u8]) -> bool {
    let is_new = number(candidate, 9).is_some_and(|digits| is_weighted(&digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10], 11));
    let is_old = number(candidate, 8).is_some_and(|digits| is_weighted(&digits, &[10, 7, 8, 4, 6, 3, 5, 1], 11));
    is_new || is_old
}

/// Australian Business Register, Format of the ABN: eleven digits, the first one less by one, modulo 89.
pub(super) fn au_abn(candidate: &[u8]) -> bool {
    let Some(mut digits) = number(candidate, 11).filter(|digits| digits[0] > 0) else { return false };
    digits[0] -= 1;
    is_weighted(&digits, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19], 89)
}

/// J. Verhoeff, Error Detecting Decimal Codes, 1969: the dihedral group of ten elements.
pub(super) fn verhoeff(candidate: &[u8]) -> bool {
    let Some(digits) = digits(candidate).filter(|digits| digits.len() > 1) else { return false };
    let product = |a: u8, b: u8| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b) % 5,
        (false, true) => 5 + (a + 5 - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    };
    const PERMUTATION: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let permuted = |digit: u8, times: usize| (0..times % 8).fold(digit, |digit, _| PERMUTATION[usize::from(digit)]);
    let check =
        digits.iter().rev().enumerate().fold(0, |check, (place, &digit)| product(check, permuted(digit, place)));
    check == 0
}

/// Unique Identification Authority of India: twelve digits by Verhoeff's formula, of which none begins with 0 or 1.
pub(super) fn in_aadhaar(candidate: &[u8]) -> bool {
    number(candidate, 12).is_some_and(|digits| digits[0] > 1) && verhoeff(candidate)
}

/// Receita Federal, CPF: eleven digits, the last two check digits modulo 11.
pub(super) fn br_cpf(candidate: &[u8]) -> bool {
    let Some(digits) = number(candidate, 11) else { return false };
    [9, 10].into_iter().all(|len| {
        let weights: Vec<u32> = (2..=len as u32 + 1).rev().collect();
        let rest = weighted_sum(&digits[..len], &weights) * 10 % 11 % 10;
        rest == u32::from(digits[len])
    })
}

/// Receita Federal, CNPJ: fourteen digits, the last two check digits modulo 11.
pub(super) fn br_cnpj(candidate: &[u8]) -> bool {
    let plain: Vec<u8> = candidate.iter().copied().filter(|byte| *byte != b'/').collect();
    let Some(digits) = number(&plain, 14) else { return false };
    [12, 13].into_iter().all(|len| {
        let weights: Vec<u32> = (0..len as u32).map(|place| (len as u32 - 1 - place) % 8 + 2).collect();
        let rest = weighted_sum(&digits[..len], &weights) % 11;
        u32::from(digits[len]) == if rest < 2 { 0 } else { 11 - rest }
    })
}

/// Ministerio del Interior, NIF: eight digits, or X, Y or Z and seven, and the letter that their remainder modulo 23 names.
pub(super) fn es_dni(candidate: &[u8]) -> bool {
    let mut text = letters(candidate);
    let Some(letter) = text.pop().filter(|_| text.len() == 8) else { return false };
    if let Some(place) = b"XYZ".iter().position(|foreigner| *foreigner == text[0]) {
        text[0] = b'0' + place as u8;
    }
    let number = std::str::from_utf8(&text).ok().and_then(|text| text.parse::<usize>().ok());
    number.is_some_and(|number| b"TRWAGMYFPDXBNJZSQVHLCKE"[number % 23] == letter)
}

/// Decreto ministeriale 23 December 1976, codice fiscale: fifteen letters and digits and a letter that follows from them.
pub(super) fn it_cf(candidate: &[u8]) -> bool {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let text = letters(candidate);
    let Some((&check, body)) = text.split_last().filter(|(_, body)| body.len() == 15) else { return false };
    let value = |byte: u8| if byte.is_ascii_digit() { byte - b'0' } else { byte - b'A' };
    let sum: u32 = body
        .iter()
        .enumerate()
        .map(|(place, &byte)| if place % 2 == 0 { ODD[usize::from(value(byte))] } else { u32::from(value(byte)) })
        .sum();
    check.is_ascii_uppercase() && u32::from(check - b'A') == sum % 26
}

/// Ministerstwo Cyfryzacji, PESEL: eleven digits, weights 1, 3, 7, 9, modulo 10.
pub(super) fn pl_pesel(candidate: &[u8]) -> bool {
    number(candidate, 11).is_some_and(|digits| is_weighted(&digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1], 10))
}

/// Rijksdienst voor Identiteitsgegevens, burgerservicenummer: nine digits, or eight without the leading zero; weights 9 to 2
/// and -1, modulo 11.
pub(super) fn nl_bsn(candidate: &[u8]) -> bool {
    let Some(mut digits) = digits(candidate).filter(|digits| (7..=9).contains(&digits.len())) else { return false };
    while digits.len() < 9 {
        digits.insert(0, 0);
    }
    // -1 is 10 modulo 11.
    digits.iter().any(|digit| *digit > 0) && is_weighted(&digits, &[9, 8, 7, 6, 5, 4, 3, 2, 10], 11)
}

/// Insee, numéro d'inscription au répertoire: thirteen digits, with 2A and 2B for Corsica, and a key of two, 97 less the
/// number modulo 97.
pub(super) fn fr_nir(candidate: &[u8]) -> bool {
    let text = letters(candidate);
    if text.len() != 15 || !matches!(text[0], b'1'..=b'4' | b'7' | b'8') {
        return false;
    }
    let Ok(text) = String::from_utf8(text) else { return false };
    let body = text[..13].to_owned();
    let body = match &body[5..7] {
        "2A" => format!("{}19{}", &body[..5], &body[7..]),
        "2B" => format!("{}18{}", &body[..5], &body[7..]),
        _ => body,
    };
    let (Ok(body), Ok(key)) = (body.parse::<u64>(), text[13..].parse::<u64>()) else { return false };
    key == 97 - body % 97
}

/// ISO 7064, MOD 11,10, as the Bundeszentralamt für Steuern uses it for the Identifikationsnummer: eleven digits, the first
/// one not 0.
pub(super) fn de_taxid(candidate: &[u8]) -> bool {
    let plain: Vec<u8> = candidate.iter().copied().filter(|byte| *byte != b'/').collect();
    let Some(digits) = number(&plain, 11).filter(|digits| digits[0] > 0) else { return false };
    let product = digits[..10].iter().fold(10, |product, &digit| {
        let sum = (u32::from(digit) + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == u32::from(digits[10])
}

/// GB 11643-1999: seventeen digits and a check character by ISO 7064, MOD 11-2, where X is 10.
pub(super) fn cn_id(candidate: &[u8]) -> bool {
    if candidate.len() != 18 || !candidate[..17].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let check = match candidate[17] {
        digit @ b'0'..=b'9' => u32::from(digit - b'0'),
        b'X' | b'x' => 10,
        _ => return false,
    };
    let sum = candidate[..17].iter().fold(0, |sum, digit| (sum + u32::from(digit - b'0')) * 2 % 11);
    (sum + check) % 11 == 1
}

#[cfg(test)]
mod tests {
    use super::super::split;
    use super::*;

    #[test]
    fn banks_and_taxes_of_america_and_australia() {
        split(aba, &["121000248", "0210-0002-1"], &["121000249", "000000000", "991000248", "12100024"]);
        split(us_itin, &["912-70-1234", "900501234"], &["812-70-1234", "912-69-1234", "912-93-1234"]);
        split(us_npi, &["1234567893"], &["1234567890", "3234567893", "123456789"]);
        split(ca_sin, &["130 692 544"], &["130 692 545", "046 454 286", "830692544"]);
        split(au_tfn, &["346-614-101", "123 456 782", "37 118 629"], &["123 456 783", "37 118 628", "1234567"]);
        split(au_abn, &["51 824 753 556"], &["51 824 753 557", "01 824 753 556"]);
        split(br_cpf, &["012.345.678-90", "529.982.247-25"], &["012.345.678-91", "111.111.111-11", "5299822472"]);
        split(br_cnpj, &["00.623.904/0001-73", "11.222.333/0001-81"], &["00.623.904/0001-71", "11222333000182"]);
    }

    #[test]
    fn people_of_europe() {
        split(mod11_nhs, &["943 476 5919", "9434765919"], &["943 476 5918", "1111111111", "943476591"]);
        split(es_dni, &["12345678Z", "X1234567L", "12345678-z"], &["12345678A", "1234567Z", "W1234567L", ""]);
        split(it_cf, &["RSSMRA85T10A562S"], &["RSSMRA85T10A562T", "RSSMRA85T10A562", "RSSMRA85T10A5621"]);
        split(pl_pesel, &["44051401458"], &["44051401459", "4405140145"]);
        split(nl_bsn, &["111222333", "001855013"], &["111222334", "000000000", "11122233344"]);
        split(fr_nir, &["1 51 02 46102 043 25", "289042A34216390"], &["1 51 02 46102 043 26", "951024610204325", "2A"]);
        split(de_taxid, &["86095742719", "47 036 892 816"], &["86095742718", "06095742719", "8609574271"]);
    }

    #[test]
    fn people_of_asia() {
        split(verhoeff, &["2363", "199009301238"], &["2364", "235", "x"]);
        split(in_aadhaar, &["2341 2341 2346"], &["2341 2341 2347", "1341 2341 2346", "23412341234"]);
        split(
            cn_id,
            &["11010519491231002X", "513231200012121673"],
            &["110105194912310021", "11010519491231002", "a1010519491231002X"],
        );
    }
}
