internal import ArgumentParser

/// A duration on the command line: a number with `ms`, `s`, `m` or `h`; a bare number is seconds.
struct DurationArgument: ExpressibleByArgument {
  let milliseconds: Int64

  /// The longest that is taken: 366 days, as on the wire.
  private static let maximum: Double = 31_622_400_000

  private static let units: [(suffix: String, milliseconds: Double)] = [
    ("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000),
  ]

  init(milliseconds: Int64) {
    self.milliseconds = milliseconds
  }

  init?(argument: String) {
    let unit = Self.units.first { argument.hasSuffix($0.suffix) } ?? ("", 1_000)
    let number = argument.dropLast(unit.suffix.count)
    // What `Double` reads beyond a plain number (inf, nan, hexadecimal, signs) is a typing mistake.
    guard number.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }),
      number.last != ".", let value = Double(number)
    else { return nil }
    let milliseconds = (value * unit.milliseconds).rounded()
    guard milliseconds <= Self.maximum else { return nil }
    self.milliseconds = Int64(milliseconds)
  }

  /// nil for 0, which switches a clock off.
  var millisecondsUnlessZero: Int64? { milliseconds == 0 ? nil : milliseconds }

  var defaultValueDescription: String {
    let unit = Self.units.last { milliseconds % Int64($0.milliseconds) == 0 } ?? ("ms", 1)
    return milliseconds == 0 ? "off" : "\(milliseconds / Int64(unit.milliseconds))\(unit.suffix)"
  }
}
