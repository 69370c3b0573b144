internal import RenderProtocol

/// Counts the calls of each method and how long they took.
struct Statistics {
  private var methods: [(name: String, latency: LatencyHistogram, errors: Int64)]

  init(methods names: [String]) {
    methods = names.map { ($0, LatencyHistogram(), 0) }
  }

  /// Counts one call of the method at an index.
  mutating func note(method index: Int, nanoseconds: UInt64, failed: Bool) {
    methods[index].latency.record(microseconds: nanoseconds / 1_000)
    if failed { methods[index].errors += 1 }
  }

  /// The methods called so far.
  var calls: [StatsMethod.Calls] {
    methods.filter { $0.latency.count > 0 }.map { method in
      StatsMethod.Calls(
        method: method.name,
        count: method.latency.count,
        errors: method.errors,
        p50Microseconds: method.latency.quantile(0.5),
        p99Microseconds: method.latency.quantile(0.99)
      )
    }
  }
}

/// How many calls took how long: 16 buckets for each doubling, so a quantile is off by 6 % at most.
struct LatencyHistogram {
  private static let bucketsPerDoubling = 16
  private var buckets: [Int64] = []
  private(set) var count: Int64 = 0

  mutating func record(microseconds: UInt64) {
    let bucket = Self.bucket(of: microseconds)
    if bucket >= buckets.count {
      buckets.append(contentsOf: repeatElement(0, count: bucket + 1 - buckets.count))
    }
    buckets[bucket] += 1
    count += 1
  }

  /// The time that this share of the calls did not exceed, in microseconds; 0 without calls.
  func quantile(_ share: Double) -> Double {
    let rank = Int64((share * Double(count)).rounded(.up))
    var seen: Int64 = 0
    for (bucket, calls) in buckets.enumerated() {
      seen += calls
      if seen >= rank, calls > 0 { return Double(Self.upperBound(of: bucket)) }
    }
    return 0
  }

  private static func bucket(of value: UInt64) -> Int {
    guard value >= UInt64(bucketsPerDoubling) else { return Int(value) }
    let doubling = UInt64.bitWidth - 1 - value.leadingZeroBitCount
    let step = doubling - 4
    return step * bucketsPerDoubling + Int(value >> UInt64(step))
  }

  private static func upperBound(of bucket: Int) -> UInt64 {
    guard bucket >= 2 * bucketsPerDoubling else { return UInt64(bucket) }
    let step = bucket / bucketsPerDoubling - 1
    let position = UInt64(bucket % bucketsPerDoubling + bucketsPerDoubling)
    return (position + 1) << UInt64(step) - 1
  }
}
