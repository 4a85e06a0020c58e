// How lower floors say what they are doing. Nothing below cli prints.
#pragma once

#include <cstdint>
#include <string_view>

namespace re {

/// Calls come from the one thread of the program; an implementation must not throw and must not block for
/// long.
class Progress {
 public:
  virtual ~Progress() = default;
  /// A step begins ("syncing", "connecting to gpu1"); it replaces the step before.
  virtual void step(std::string_view text) = 0;
  /// How far the step is; total 0 means unknown. Units are bytes.
  virtual void advance(std::uint64_t done, std::uint64_t total) = 0;
  /// A sentence the user should see whatever happens (a warning, a fallback taken). One line, no full stop.
  virtual void note(std::string_view text) = 0;
};

/// Says nothing.
class NoProgress final : public Progress {
 public:
  void step(std::string_view) override {}
  void advance(std::uint64_t, std::uint64_t) override {}
  void note(std::string_view) override {}
};

}  // namespace re
