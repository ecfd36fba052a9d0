"""What one run does to the scan: the ledger, the plan, the manifests."""
