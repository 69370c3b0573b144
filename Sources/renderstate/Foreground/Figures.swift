internal import Foundation

/// Like 1,234,567.
func grouped(_ number: Int64) -> String {
  guard number >= 1_000 else { return "\(number)" }
  return grouped(number / 1_000) + "," + "\(number % 1_000 + 1_000)".dropFirst()
}

/// Like 1 render, or 1,234 renders.
func counted(_ number: Int64, _ thing: String) -> String {
  "\(grouped(number)) \(thing)\(number == 1 ? "" : "s")"
}

/// Three digits, or as many as stand before the point.
func significant(_ value: Double) -> String {
  guard value < 99.95 else { return grouped(Int64(value.rounded())) }
  let decimals = value < 9.995 ? 2 : 1
  return String(format: "%.\(decimals)f", value)
}

/// Like 24.2 MiB.
func size(ofBytes bytes: Int64) -> String {
  let units: [(name: String, bytes: Int64)] = [
    ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10),
  ]
  guard let unit = units.first(where: { bytes >= $0.bytes }) else { return "\(bytes) B" }
  return "\(significant(Double(bytes) / Double(unit.bytes))) \(unit.name)"
}
