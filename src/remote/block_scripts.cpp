#include "remote/block_scripts.hpp"

#include <string>

#include "remote/scripts.hpp"

namespace re::remote {

std::string_view block_scripts() {
  static const std::string text = std::string(scripts::transfer) + std::string(scripts::blocks);
  return text;
}

}  // namespace re::remote
