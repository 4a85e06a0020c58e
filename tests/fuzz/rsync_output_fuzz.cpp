// What rsync prints.
#include <cstdint>
#include <string>
#include <string_view>

#include "re/base/progress.hpp"
#include "remote/rsync_output.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  re::NoProgress progress;
  re::remote::RsyncOutput output(progress);
  output.feed(text);
  static_cast<void>(output.take_report());
  static_cast<void>(re::remote::first_cause(text));
  return 0;
}
