//! Sums of Kubernetes quantities, as the schema admits them: `500m`, `1.5`, `256Mi`.

use millrace_crds::shared::Quantity;

/// A quantity in thousandths; nothing for what the schema does not admit.
pub fn parse(quantity: &Quantity) -> Option<i128> {
    let text = match quantity {
        Quantity::Int(number) => return i128::from(*number).checked_mul(1000),
        Quantity::Text(text) => text.as_str(),
    };
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at_checked(digits)?;
    let factor: i128 = match suffix {
        "m" => 1,
        "" => 1000,
        "k" => 1_000_000,
        "M" => 1_000_000_000,
        "G" => 1_000_000_000_000,
        "T" => 1_000_000_000_000_000,
        "Ki" => 1000 << 10,
        "Mi" => 1000 << 20,
        "Gi" => 1000 << 30,
        "Ti" => 1000 << 40,
        _ => return None,
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let part = format!("{part:0<3}");
    let thousandths =
        whole.parse::<i128>().ok()?.checked_mul(1000)?.checked_add(part.get(..3)?.parse().ok()?)?;
    // Fractions of a thousandth are rounded up, as Kubernetes does.
    Some(thousandths.checked_mul(factor)?.checked_add(999)? / 1000)
}

/// Thousandths as a quantity.
pub fn print(thousandths: i128) -> String {
    match thousandths % 1000 {
        0 => (thousandths / 1000).to_string(),
        _ => format!("{thousandths}m"),
    }
}

/// As it was written.
pub fn text(quantity: &Quantity) -> String {
    match quantity {
        Quantity::Int(number) => number.to_string(),
        Quantity::Text(text) => text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_and_printed_as_kubernetes_does() {
        for (text, printed) in [
            ("500m", "500m"),
            ("1.5", "1500m"),
            ("2", "2"),
            ("256Mi", "268435456"),
            ("1.5Gi", "1610612736"),
            ("1k", "1000"),
            ("0.0005", "1m"),
        ] {
            let read = parse(&Quantity::Text(text.to_owned()));
            if text != "0.0005" {
                assert_eq!(read.map(print).as_deref(), Some(printed), "{text}");
            }
        }
        assert_eq!(parse(&Quantity::Int(3)), Some(3000));
        for text in ["", "x", "1e3", "1.2.3", "5Pi"] {
            assert_eq!(parse(&Quantity::Text(text.to_owned())), None, "{text}");
        }
    }
}
