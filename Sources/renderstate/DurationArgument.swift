internal import ArgumentParser

/// A duration on the command line: a number with `ms`, `s`, `m` or `h`; a bare number is seconds.
struct DurationArgument: ExpressibleByArgument {
  let milliseconds: Int64

  /// The longest that is taken: 366 days, as on the wire.
  private static let maximum: Double = 31_622_400_000

  fileprivate static let units: [(suffix: String, milliseconds: Double)] = [
    ("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000),
  ]

  init(milliseconds: Int64) {
    self.milliseconds = milliseconds
  }

  init?(argument: String) {
    let units = Self.units
    guard let milliseconds = durationMilliseconds(argument, units, maximum: Self.maximum) else {
      return nil
    }
    self.milliseconds = milliseconds
  }

  /// nil for 0, which switches a clock off.
  var millisecondsUnlessZero: Int64? { milliseconds == 0 ? nil : milliseconds }

  var defaultValueDescription: String {
    let unit = Self.units.last { milliseconds % Int64($0.milliseconds) == 0 } ?? ("ms", 1)
    return milliseconds == 0 ? "off" : "\(milliseconds / Int64(unit.milliseconds))\(unit.suffix)"
  }
}

/// How old something is: as a duration, but also with `d`, and up to 36,600 days.
struct AgeArgument: ExpressibleByArgument {
  let milliseconds: Int64

  private static let units = DurationArgument.units + [("d", 86_400_000)]

  init?(argument: String) {
    let maximum = 36_600 * 86_400_000.0
    guard let milliseconds = durationMilliseconds(argument, Self.units, maximum: maximum) else {
      return nil
    }
    self.milliseconds = milliseconds
  }

  /// nil for 0, which switches a retention off.
  var millisecondsUnlessZero: Int64? { milliseconds == 0 ? nil : milliseconds }
}

private func durationMilliseconds(
  _ text: String,
  _ units: [(suffix: String, milliseconds: Double)],
  maximum: Double
) -> Int64? {
  let unit = units.first { text.hasSuffix($0.suffix) } ?? ("", 1_000)
  let number = text.dropLast(unit.suffix.count)
  // What `Double` reads beyond a plain number (inf, nan, hexadecimal, signs) is a typing mistake.
  guard number.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }),
    number.last != ".", let value = Double(number)
  else { return nil }
  let milliseconds = (value * unit.milliseconds).rounded()
  return milliseconds <= maximum ? Int64(milliseconds) : nil
}
