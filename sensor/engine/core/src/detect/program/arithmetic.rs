//! Calculating with the numbers of a buffer (byte_test, byte_jump, byte_extract, byte_math).

use super::Arithmetic;

/// Applies the mask and shifts its lowest set bit down to bit 0.
pub fn masked(value: u64, bitmask: Option<u64>) -> u64 {
    match bitmask {
        Some(mask) => (value & mask).checked_shr(mask.trailing_zeros()).unwrap_or(0),
        None => value,
    }
}

pub fn align_up(value: u64, align: u64) -> u64 {
    value.checked_next_multiple_of(align).unwrap_or(value)
}

/// None when the result does not exist (division by zero).
pub fn arithmetic(operator: Arithmetic, left: u64, right: u64) -> Option<u64> {
    match operator {
        Arithmetic::Add => Some(left.wrapping_add(right)),
        Arithmetic::Subtract => Some(left.wrapping_sub(right)),
        Arithmetic::Multiply => Some(left.wrapping_mul(right)),
        Arithmetic::Divide => left.checked_div(right),
        Arithmetic::ShiftLeft => Some(shift(left, right, u64::checked_shl)),
        Arithmetic::ShiftRight => Some(shift(left, right, u64::checked_shr)),
    }
}

fn shift(left: u64, by: u64, with: fn(u64, u32) -> Option<u64>) -> u64 {
    u32::try_from(by).ok().and_then(|by| with(left, by)).unwrap_or(0)
}
