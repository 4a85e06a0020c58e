// What a host says of its jobs, and a snapshot's manifest.
#include <cstdint>
#include <string>
#include <string_view>

#include "jobs/listing.hpp"
#include "jobs/manifest_text.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(re::jobs::parse_listing(text));
  static_cast<void>(re::jobs::parse_manifest(text));
  return 0;
}
