// What `re __rsh` and the process that serves it may send to each other.
#include <cstdint>
#include <string>
#include <string_view>

#include "re/base/error.hpp"
#include "remote/shell_frames.hpp"

namespace {

template <class Parse>
void understand(std::string_view payload, const Parse& parse) {
  try {
    static_cast<void>(parse(payload));
  } catch (const re::Error&) {  // it is refused
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  re::remote::FrameBuffer frames;
  frames.feed(text);
  try {
    while (const auto payload = frames.next()) {
      understand(*payload, re::remote::parse_request);
      understand(*payload, re::remote::parse_exit);
    }
  } catch (const re::Error&) {  // a size beyond the limit
  }
  return 0;
}
