// The clock, for Verilator. Without it in the Verilog no delays are scheduled, which would take a newer C++.
#include "Vtestbench.h"
#include "verilated.h"

int main(int argc, char** argv) {
  VerilatedContext context;
  context.commandArgs(argc, argv);
  context.traceEverOn(true);
  Vtestbench testbench{&context};
  while (!context.gotFinish()) {
    testbench.clk = !testbench.clk;
    testbench.eval();
    context.timeInc(1);
  }
  testbench.final();
}
