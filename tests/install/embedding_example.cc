// Commits a folder and its changed copy, checks both out again, and prints the history: the public API alone.
#include <dstore/model.h>
#include <dstore/store.h>

#include <cstdio>
#include <fstream>
#include <string>

namespace {

void write_model(const std::string& folder, char last) {
  const std::string header = R"({"w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})";
  std::string text(8, '\0');
  text[0] = static_cast<char>(header.size());
  std::ofstream(folder + "/model.safetensors", std::ios::binary) << text << header << "abc" << last;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  write_model(argv[2], 'd');
  write_model(argv[3], 'e');
  dstore::Store store = dstore::Store::init(argv[1]);
  store.import_folder(argv[2], "base", "a base");
  store.commit_folder(argv[3], "base", "task", "a task");
  store.checkout("base+task", std::string(argv[1]) + "/out");
  for (const dstore::LogEntry& entry : store.log()) std::printf("%s %s\n", entry.is_task ? "task" : "base", entry.message.c_str());
  const auto model = dstore::open_model("base+task", argv[1]);
  std::byte bytes[4];
  model->tensors().read(0, 0, bytes);
  return static_cast<char>(bytes[3]) == 'e' ? 0 : 1;
}
