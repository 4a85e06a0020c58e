// What `re __rsh` may send.
#include <cstdint>
#include <string>
#include <string_view>

#include "re/base/error.hpp"
#include "remote/shell_frames.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    static_cast<void>(re::remote::parse_request(text));
  } catch (const re::Error&) {  // it is refused
  }
  return 0;
}
