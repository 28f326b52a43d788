//! Dates of the common log format, from seconds since the UNIX epoch.

const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// `dd/MMM/yyyy:HH:mm:ss +0000`; right up to the year 9999.
pub(super) fn clf(seconds: u64) -> [u8; 26] {
    let (year, month, day) = civil(seconds / 86_400);
    let [m0, m1, m2] = **MONTHS.get(month.saturating_sub(1) as usize).unwrap_or(&b"Jan");
    let [d0, d1] = two(day);
    let [y0, y1] = two(year / 100);
    let [y2, y3] = two(year);
    let [h0, h1] = two(seconds / 3_600 % 24);
    let [n0, n1] = two(seconds / 60 % 60);
    let [s0, s1] = two(seconds % 60);
    [
        d0, d1, b'/', m0, m1, m2, b'/', y0, y1, y2, y3, b':', h0, h1, b':', n0, n1, b':', s0, s1, b' ', b'+', b'0',
        b'0', b'0', b'0',
    ]
}

/// Year, month and day of a day since the epoch, counted in eras of 400 years that begin in March.
fn civil(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let (era, day_of_era) = (day / 146_097, day % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day_of_month)
}

fn two(number: u64) -> [u8; 2] {
    [b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_date(seconds: u64, date: &str) {
        assert_eq!(String::from_utf8(clf(seconds).to_vec()).unwrap(), date);
    }

    #[test]
    fn dates_around_leap_days_and_years() {
        assert_date(0, "01/Jan/1970:00:00:00 +0000");
        assert_date(951_782_399, "28/Feb/2000:23:59:59 +0000");
        assert_date(951_782_400, "29/Feb/2000:00:00:00 +0000");
        assert_date(951_868_800, "01/Mar/2000:00:00:00 +0000");
        assert_date(1_735_689_599, "31/Dec/2024:23:59:59 +0000");
        assert_date(4_107_542_400, "01/Mar/2100:00:00:00 +0000");
    }
}
