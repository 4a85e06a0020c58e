// meter: runs commands one after the other, and says what each cost.
//
// A request is a line on stdin whose fields are separated by the byte 0x1f:
//   SAMPLE_MS DIRECTORY STDOUT_FILE STDERR_FILE COMMAND [ARGUMENT]...
// The reply is a line on stdout, its fields separated by blanks:
//   EXIT_CODE WALL_US CPU_US PEAK_KB TREE_KB
// EXIT_CODE is negative for a signal. WALL_US lasts from the fork to the end of COMMAND. CPU_US is user and
// system time of COMMAND and of all descendants that were waited for, so not of a daemon that it left behind.
// PEAK_KB is the resident memory of the largest single process of them. TREE_KB is the largest sum over all
// processes that descend from COMMAND of their proportional share (PSS) of memory, looked at every SAMPLE_MS;
// 0 where SAMPLE_MS is 0, as looking costs time.
//
// The command ends with the meter. Being small it forks fast, and getrusage(2), which counts the memory of
// the forking process in, tells of the command.

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Cost {
  int status = 0;
  rusage used{};
  Clock::duration wall{};
  long tree_kb = 0;
};

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> fields;
  std::size_t begin = 0;
  for (std::size_t end = 0; end != std::string::npos; begin = end + 1) {
    end = line.find('\x1f', begin);
    fields.push_back(line.substr(begin, end == std::string::npos ? end : end - begin));
  }
  return fields;
}

long share_of(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/smaps_rollup");
  for (std::string word; file >> word;) {
    if (word == "Pss:") {
      long kilobytes = 0;
      file >> kilobytes;
      return kilobytes;
    }
  }
  return 0;
}

// Every thread may have children of its own.
void add_children(pid_t process, std::vector<pid_t>& found) {
  std::error_code gone;
  const std::string tasks = "/proc/" + std::to_string(process) + "/task";
  for (std::filesystem::directory_iterator task(tasks, gone);
       !gone && task != std::filesystem::directory_iterator(); task.increment(gone)) {
    std::ifstream children(task->path() / "children");
    for (pid_t child = 0; children >> child;) {
      found.push_back(child);
    }
  }
}

long share_of_tree(pid_t root) {
  std::vector<pid_t> processes{root};
  long sum = 0;
  for (std::size_t index = 0; index < processes.size(); ++index) {
    sum += share_of(processes[index]);
    add_children(processes[index], processes);
  }
  return sum;
}

[[noreturn]] void become(const std::vector<std::string>& fields) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // what runs ends with the meter
  const int input = open("/dev/null", O_RDONLY);
  const int output = open(fields[2].c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const int errors = open(fields[3].c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (input < 0 || output < 0 || errors < 0 || chdir(fields[1].c_str()) != 0) {
    _exit(126);
  }
  dup2(input, 0);
  dup2(output, 1);
  dup2(errors, 2);
  for (const int fd : {input, output, errors}) {
    close(fd);
  }
  std::vector<char*> arguments;
  for (std::size_t index = 4; index < fields.size(); ++index) {
    arguments.push_back(const_cast<char*>(fields[index].c_str()));  // execvp promises not to write there
  }
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  _exit(127);
}

Cost measure(const std::vector<std::string>& fields) {
  const std::chrono::milliseconds sample(std::stol(fields[0]));
  Cost cost;
  const Clock::time_point begin = Clock::now();
  const pid_t child = fork();
  if (child == 0) {
    become(fields);
  }
  while (wait4(child, &cost.status, sample.count() > 0 ? WNOHANG : 0, &cost.used) == 0) {
    cost.tree_kb = std::max(cost.tree_kb, share_of_tree(child));
    std::this_thread::sleep_for(sample);
  }
  cost.wall = Clock::now() - begin;
  return cost;
}

long microseconds(const timeval& time) {
  return time.tv_sec * 1000000 + time.tv_usec;
}

void report(const Cost& cost) {
  const int code = WIFEXITED(cost.status) ? WEXITSTATUS(cost.status) : -WTERMSIG(cost.status);
  const auto wall = std::chrono::duration_cast<std::chrono::microseconds>(cost.wall);
  std::printf("%d %ld %ld %ld %ld\n", code, static_cast<long>(wall.count()),
              microseconds(cost.used.ru_utime) + microseconds(cost.used.ru_stime), cost.used.ru_maxrss,
              cost.tree_kb);
  std::fflush(stdout);
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    const std::vector<std::string> fields = split(line);
    if (fields.size() < 5) {
      std::fputs("meter: a request has at least five fields\n", stderr);
      return 2;
    }
    report(measure(fields));
  }
}
