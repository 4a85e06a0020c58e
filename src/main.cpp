#include <string>
#include <vector>

#include "re/cli/run.hpp"

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  return re::cli::run(argc > 0 ? argv[0] : "re", words);
}
