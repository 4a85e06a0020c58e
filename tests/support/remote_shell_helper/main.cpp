// `re __rsh` without the rest of `re`.
#include <vector>

#include "re/remote/remote_shell.hpp"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return re::remote::remote_shell_main(arguments);
}
